"""Behaviour of functions/strategy_follower."""
