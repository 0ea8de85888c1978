"""Receives Stripe's signed events: stores each once, and queues it. Applies none."""
