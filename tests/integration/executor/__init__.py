"""The order executor against a real engine for its records and a real protocol for its exchange."""
