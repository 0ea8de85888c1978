"""Behaviour of functions/order_executor that needs no engine."""
