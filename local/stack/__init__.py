"""The stack of `make run`: an embedded AWS, the deployed template, and a proxy. Knows nothing of trading."""
