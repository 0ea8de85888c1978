"""The simulated parts that worlds are made of."""
