"""The paper exchange, tested through ccxt's clients."""
