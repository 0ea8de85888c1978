"""Behaviour of functions/admin_setting_notification."""
