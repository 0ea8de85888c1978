"""Behaviour of functions/order_executor on a fake account, with tables in this process and simulated time."""
