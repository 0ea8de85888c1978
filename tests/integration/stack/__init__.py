"""The parts that the local stack is made of: the build's artefacts, and the embedded AWS."""
