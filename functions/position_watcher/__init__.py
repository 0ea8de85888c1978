"""Queues executions that are due and triggers whose fan-out is not done. Writes to no exchange; reads candles."""
