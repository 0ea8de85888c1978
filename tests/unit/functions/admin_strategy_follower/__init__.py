"""Behaviour of functions/admin_strategy_follower."""
