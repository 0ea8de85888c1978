"""The unit tests: the product's modules in this process, on an AWS that is in it too."""
