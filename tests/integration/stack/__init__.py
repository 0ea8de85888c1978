"""The parts of the local stack: the build's artefacts, the embedded AWS, the API's page."""
