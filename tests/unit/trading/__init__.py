"""Behaviour of the pure trading core."""
