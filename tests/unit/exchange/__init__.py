"""The border to the exchange, without an exchange."""
