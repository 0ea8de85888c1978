"""Compares an alert's secret with its strategy's, in the same time whatever is wrong."""

from __future__ import annotations

import hashlib
import hmac

from shared.models.strategy import Strategy

# Compared with the secret if there is no strategy: takes the same time and never matches.
_NO_HASH = "-" * 64


def has_secret_of(strategy: Strategy | None, secret: str | None) -> bool:
    """Return whether a text is the strategy's secret, after the same work if there is no strategy or no text."""
    expected = strategy.webhook_secret_hash if strategy is not None else None
    # A lone surrogate must not lead to another answer than any wrong secret does.
    given = hashlib.sha256((secret or "").encode(errors="surrogatepass")).hexdigest()
    matches = hmac.compare_digest(given, expected or _NO_HASH)
    return matches and secret is not None
