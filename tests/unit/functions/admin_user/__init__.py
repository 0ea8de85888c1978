"""Behaviour of functions/admin_user."""
