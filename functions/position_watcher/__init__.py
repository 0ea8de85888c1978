"""Finds executions that need a look and triggers that were never spread, and queues them. Writes to no exchange."""
