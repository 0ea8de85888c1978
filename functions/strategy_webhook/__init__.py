"""Endpoint 36: takes TradingView's alerts and turns each, once, into a stored and queued trigger."""
