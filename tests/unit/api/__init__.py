"""Behaviour of what every API function shares."""
