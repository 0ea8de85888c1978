"""Fans each trigger out to its strategy's followers: one execution and one queued order message for each."""
