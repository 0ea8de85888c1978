"""Tests against the deployed stack of `make run`: real gateway, real queues, real workers, a paper exchange."""
