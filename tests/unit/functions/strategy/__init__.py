"""Behaviour of functions/strategy."""
