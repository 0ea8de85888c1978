"""Reads exchange keys' accounts, live and on record, for admins and owners. Trades nothing, and knows no HTTP."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, cast

from shared.api.days import PAGE_ITEMS, DaysListing
from shared.api.exchange_access import read_with_key
from shared.api.paging import query_page
from shared.api.requests import Fault, fault
from shared.errors import NotFound, RequestUnprocessable
from shared.exchange import account_queries
from shared.models.balance_day import BalanceDay
from shared.models.exchange_key import ExchangeKey, TradeType
from shared.views.exchange_account_items import (
    AssetBalance,
    BalanceDayItem,
    BalanceHistoryQuery,
    OrderItem,
    PositionItem,
    TradeItem,
    balance_day_item,
)


def futures_faults(key: ExchangeKey) -> list[Fault]:
    """Return the fault of a request for the positions of a key that is not for futures."""
    if key.trade_type is TradeType.FUTURES:
        return []
    return [fault("must be API key of tradeType FUTURES", param="API_KEY_ID", location="params", value=key.id)]


def list_positions(key: ExchangeKey, symbol: str | None) -> list[PositionItem]:
    """Return the key's open positions, of one symbol if one is given."""
    return cast("list[PositionItem]", _read(key, symbol, lambda: account_queries.positions(key, symbol)))


def list_open_orders(key: ExchangeKey, symbol: str) -> list[OrderItem]:
    """Return the key's open orders on a symbol, conditional ones included."""
    return cast("list[OrderItem]", _read(key, symbol, lambda: account_queries.open_orders(key, symbol)))


def list_order_history(key: ExchangeKey, symbol: str) -> list[OrderItem]:
    """Return the key's last orders on a symbol, conditional ones included."""
    return cast("list[OrderItem]", _read(key, symbol, lambda: account_queries.order_history(key, symbol)))


def list_trade_history(key: ExchangeKey, symbol: str) -> list[TradeItem]:
    """Return the key's last fills on a symbol."""
    return cast("list[TradeItem]", _read(key, symbol, lambda: account_queries.trade_history(key, symbol)))


def get_balance(key: ExchangeKey) -> dict[str, AssetBalance]:
    """Return what the key holds of each asset."""
    return cast("dict[str, AssetBalance]", read_with_key(key, lambda: account_queries.balance(key)))


def list_balance_history(key: ExchangeKey, query: BalanceHistoryQuery) -> DaysListing[BalanceDayItem]:
    """Return a page of the key's balances on record, newest day first."""
    since, until = query.span
    # A day belongs to the span when any part of it does.
    last = (until - timedelta(milliseconds=1)).date()
    page = query_page(
        BalanceDay.query,
        key.id,
        BalanceDay.date.between(since.date().isoformat(), last.isoformat()),
        load=list,
        limit=PAGE_ITEMS,
        after=query.after,
        newest_first=True,
    )
    return query.listing(map(balance_day_item, page.records), page)


def _read(key: ExchangeKey, symbol: str | None, read: Callable[[], list[dict[str, Any]]]) -> list[dict[str, Any]]:
    try:
        return read_with_key(key, read)
    except NotFound as error:
        unknown = fault("must be supported symbol", param="symbol", location="query", value=symbol)
        raise RequestUnprocessable([unknown]) from error
