"""Imports the fills of keys that their owners trade with by hand. Trades with none of them."""
