"""Behaviour of functions/admin_exchange."""
