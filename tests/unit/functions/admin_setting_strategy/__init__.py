"""Behaviour of functions/admin_setting_strategy."""
