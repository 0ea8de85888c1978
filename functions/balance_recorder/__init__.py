"""Records the balance of every exchange key, daily and on demand, and warns near the plan's maximum."""
