"""A user of the paper exchange: an account and its ccxt clients, in which only the hosts are changed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ccxt
import pytest

from tests.integration.paper_exchange.exchange_process import ExchangeProcess

BTC = "BTC/USDT:USDT"
ETH = "ETH/USDT:USDT"


def redirect(client: Any, url: str) -> Any:
    """Point every API of the client at the paper exchange, paths unchanged."""
    client.urls["api"] = {name: f"{url}/{api.split('/', 3)[3]}" for name, api in client.urls["api"].items()}
    return client


class TranslatingFutures(ccxt.binanceusdm):  # type: ignore[misc]
    """Selects ccxt's table of futures errors, which ccxt itself selects by Binance's host names."""

    def get_exceptions_by_url(self, url: str, exact_or_broad: str) -> Any:
        market = "linear" if "/fapi/" in url else "spot"
        return self.safe_dict(self.exceptions[market], exact_or_broad, {})


class Trader:
    """One account and its clients."""

    def __init__(self, exchange: ExchangeProcess, api_key: str, markets_from: Any) -> None:
        self.exchange = exchange
        self.api_key = api_key
        self.secret = f"secret-of-{api_key}"
        self._markets_from = markets_from
        self.futures = self.client(TranslatingFutures)

    def client(self, kind: Callable[[dict[str, Any]], Any], **config: Any) -> Any:
        """Return a futures client with this account's key and the shared markets."""
        client = redirect(
            kind({"apiKey": self.api_key, "secret": self.secret, "enableRateLimit": False, "timeout": 5000, **config}),
            self.exchange.url,
        )
        if self._markets_from is not None:
            client.set_markets_from_exchange(self._markets_from)
        return client

    def open_account(self, balance: str = "10000", **also: Any) -> Trader:
        """Open the account."""
        body = {"apiKey": self.api_key, "secret": self.secret, "balances": {"USDT": balance}, **also}
        self.exchange.control("POST", "/paper/accounts", body)
        return self

    def change(self, **what: Any) -> None:
        """Change the account through the control interface."""
        self.exchange.control("PUT", f"/paper/accounts/{self.api_key}", what)

    def snapshot(self) -> Any:
        """Return the account as the control interface shows it."""
        return self.exchange.control("GET", f"/paper/accounts/{self.api_key}")

    def market(self, side: str, amount: float, symbol: str = BTC, **params: Any) -> Any:
        """Send a market order."""
        return self.futures.create_order(symbol, "market", side, amount, None, params)

    def limit(self, side: str, amount: float, price: float, symbol: str = BTC, **params: Any) -> Any:
        """Send a limit order."""
        return self.futures.create_order(symbol, "limit", side, amount, price, params)

    def stop(self, side: str, trigger: float, amount: float | None = None, **params: Any) -> Any:
        """Send a STOP_MARKET of an amount, or of the whole position by default."""
        closes = {} if amount is not None else {"closePosition": True}
        params = {"triggerPrice": trigger, **closes, **params}
        return self.futures.create_order(BTC, "STOP_MARKET", side, amount, None, params)

    def conditional(self, kind: str, side: str, amount: float, price: float | None, **params: Any) -> Any:
        """Send any other conditional order."""
        return self.futures.create_order(BTC, kind, side, amount, price, params)

    def open_regular(self, symbol: str = BTC) -> list[Any]:
        """Return the open regular orders."""
        return list(self.futures.fetch_open_orders(symbol))

    def open_algos(self, symbol: str = BTC) -> list[Any]:
        """Return the open conditional orders."""
        return list(self.futures.fetch_open_orders(symbol, params={"trigger": True}))

    def algo(self, algo_id: str) -> Any:
        """Return a conditional order."""
        return self.futures.fetch_order(algo_id, BTC, {"trigger": True})

    def held(self, symbol: str = "BTCUSDT") -> str:
        """Return the signed amount of a position, "0" if it is flat."""
        return next((row["amount"] for row in self.snapshot()["positions"] if row["symbol"] == symbol), "0")

    def wallet(self) -> str:
        """Return the futures wallet in USDT."""
        return str(self.snapshot()["walletBalance"])


def refused(code: int, kind: type[Exception] = ccxt.BaseError) -> Any:
    """Expect a refusal with Binance's code."""
    return pytest.raises(kind, match=rf'"code":{code},')
