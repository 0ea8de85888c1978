"""Behaviour of functions/subscription."""
