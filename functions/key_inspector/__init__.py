"""Looks at every exchange key that trades automatically, once a day, and keeps a verdict. Trades with none of them."""
