"""The exchange as this function sees it: which keys and symbols it takes."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from shared.errors import ExchangeAuthorizationFailed, NotFound
from shared.exchange import account_queries


@dataclass
class Exchange:
    """Refuses the keys and symbols that a test names."""

    refused_keys: set[str] = field(default_factory=set)
    symbols: set[str] = field(default_factory=lambda: {"BTC/USDT", "ETH/USDT"})
    error: Exception | None = None

    def verify_key(self, *, exchange_id: str, api_key: str, secret: str, symbol: str) -> None:
        if self.error is not None:
            raise self.error
        if api_key in self.refused_keys:
            raise ExchangeAuthorizationFailed(code=-2015)
        if symbol not in self.symbols:
            raise NotFound(f"{symbol} does not trade")


@pytest.fixture(autouse=True)
def exchange(monkeypatch: pytest.MonkeyPatch) -> Exchange:
    """Stand in for the exchange."""
    exchange = Exchange()
    monkeypatch.setattr(account_queries, "verify_key", exchange.verify_key)
    return exchange
