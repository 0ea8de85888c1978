"""The stack of `make run`: an embedded AWS, the deployed template, plain addresses. Knows nothing of trading."""
