"""Behaviour of functions/user."""
