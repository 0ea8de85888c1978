"""Behaviour of functions/exchange."""
