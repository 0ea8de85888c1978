"""Looks through exchange keys for an admin. Trades nothing, and knows no HTTP."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from shared.api.exchange_access import look_through
from shared.api.requests import Fault, fault
from shared.errors import NotFound, RequestUnprocessable
from shared.exchange import reading
from shared.models.exchange_key import ExchangeKey, TradeType


def find_key(api_key_id: str) -> ExchangeKey:
    """Return the key; raise NotFound."""
    key = ExchangeKey.find(api_key_id)
    if key is None:
        raise NotFound(f"exchange key {api_key_id} does not exist")
    return key


def futures_faults(key: ExchangeKey) -> list[Fault]:
    """Return the fault of asking a key for positions that it cannot have."""
    if key.trade_type is TradeType.FUTURES:
        return []
    return [fault("must be API key of tradeType FUTURES", param="API_KEY_ID", location="params", value=key.id)]


def list_positions(key: ExchangeKey, symbol: str | None) -> list[dict[str, Any]]:
    """Return the key's open positions, of one symbol if one is given."""
    return _look(key, symbol, lambda: reading.positions(key, symbol))


def list_open_orders(key: ExchangeKey, symbol: str) -> list[dict[str, Any]]:
    """Return the key's open orders on a symbol, conditional ones included."""
    return _look(key, symbol, lambda: reading.open_orders(key, symbol))


def _look(key: ExchangeKey, symbol: str | None, read: Callable[[], list[dict[str, Any]]]) -> list[dict[str, Any]]:
    try:
        return look_through(key, read)
    except NotFound as error:
        unknown = fault("must be supported symbol", param="symbol", location="query", value=symbol)
        raise RequestUnprocessable([unknown]) from error
