"""Spreads each trigger over its strategy's followers: one execution and one queued order message for each."""
