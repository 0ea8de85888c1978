"""Behaviour of functions/admin_subscription."""
