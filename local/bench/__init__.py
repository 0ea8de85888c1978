"""`make bench`: times an alert's fan-out against a lower limit and against ccxt in a loop, in one run. Not a test."""
