"""Records what every exchange key is worth, daily and on demand, and warns near the plan's maximum. Trades nothing."""
