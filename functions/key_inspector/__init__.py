"""Inspects every exchange key that trades automatically, once a day, and records a verdict. Places no orders."""
