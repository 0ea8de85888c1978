"""A fake of the exchange: which keys and symbols it takes."""

from __future__ import annotations

from dataclasses import dataclass, field

from shared.errors import ExchangeAuthorizationFailed, NotFound


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
