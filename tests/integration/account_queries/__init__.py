"""What the admin API reads live, against the paper exchange."""
