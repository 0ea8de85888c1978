"""Small measurements of `make capacity`."""
