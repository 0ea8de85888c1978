"""Behaviour of functions/admin_strategy."""
