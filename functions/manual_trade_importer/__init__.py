"""Imports the fills of keys that their owners trade with by hand. Places no orders."""
