"""The paper exchange, tried by the clients that trade on it."""
