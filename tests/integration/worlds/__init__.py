"""A short run of the simulated worlds, and of the mutations that they must notice."""
