"""Queries and answers about one exchange key's account, in the shapes that `shared.exchange` reads."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Literal, NotRequired, TypedDict

from shared.api.answers import Day, Time
from shared.api.days import DaysQuery
from shared.api.fields import Limit, Symbol
from shared.api.requests import Query
from shared.models.balance_day import BalanceDay


class PositionQuery(Query):
    """List Futures Open Positions: the query."""

    symbol: Symbol | None = None


class OrderQuery(Query):
    """List Open Orders, List Order History, List Trade History: the query."""

    symbol: Symbol


class BalanceHistoryQuery(DaysQuery):
    """List Exchange Key Balance History: the query."""

    limit: Limit = 100


class BalanceDayItem(TypedDict):
    """List Exchange Key Balance History: one day."""

    date: Day
    totalUSD: Decimal
    unpriced: NotRequired[list[str]]
    """The assets that are not in the total, because no market had a price for them."""


class AssetBalance(TypedDict):
    """Get Exchange Key Balance: what is held of one asset."""

    free: Decimal
    used: Decimal
    total: Decimal


class PositionItem(TypedDict):
    """List Futures Open Positions: one position. What the exchange does not say is left out."""

    symbol: str
    contracts: Decimal
    contractSize: NotRequired[Decimal]
    unrealizedPnl: NotRequired[Decimal]
    leverage: NotRequired[Decimal]
    collateral: NotRequired[Decimal]
    notional: NotRequired[Decimal]
    markPrice: NotRequired[Decimal]
    entryPrice: NotRequired[Decimal]
    timestamp: NotRequired[int]
    initialMargin: NotRequired[Decimal]
    initialMarginPercentage: NotRequired[Decimal]
    maintenanceMargin: NotRequired[Decimal]
    maintenanceMarginPercentage: NotRequired[Decimal]
    marginRatio: NotRequired[Decimal]
    datetime: NotRequired[Time]
    marginMode: NotRequired[str]
    marginType: NotRequired[str]
    side: NotRequired[Literal["long", "short"]]
    hedged: NotRequired[bool]
    percentage: NotRequired[Decimal]


class OrderItem(TypedDict):
    """List Open Orders, List Order History: one order. What the exchange does not say is left out."""

    id: str
    clientOrderId: NotRequired[str]
    timestamp: NotRequired[int]
    datetime: NotRequired[Time]
    symbol: str
    type: str
    timeInForce: NotRequired[str]
    postOnly: bool
    reduceOnly: bool
    side: NotRequired[Literal["buy", "sell"]]
    price: NotRequired[Decimal]
    stopPrice: NotRequired[Decimal]
    amount: NotRequired[Decimal]
    cost: Decimal
    average: NotRequired[Decimal]
    filled: Decimal
    remaining: NotRequired[Decimal]
    status: NotRequired[str]
    trades: list[Any]
    fees: list[Any]


class TradeFee(TypedDict):
    """List Trade History: what a fill cost."""

    cost: Decimal
    currency: str | None


class TradeItem(TypedDict):
    """List Trade History: one fill. What the exchange does not say is left out."""

    timestamp: NotRequired[int]
    datetime: NotRequired[Time]
    symbol: str
    id: NotRequired[str]
    order: NotRequired[str]
    side: NotRequired[Literal["buy", "sell"]]
    takerOrMaker: NotRequired[Literal["taker", "maker"]]
    price: NotRequired[Decimal]
    amount: NotRequired[Decimal]
    cost: NotRequired[Decimal]
    fee: NotRequired[TradeFee]
    fees: list[TradeFee | None]


def balance_day_item(day: BalanceDay) -> BalanceDayItem:
    """Return a day as documented."""
    item: BalanceDayItem = {"date": day.date, "totalUSD": day.total_usd}
    if day.unpriced:
        item["unpriced"] = list(day.unpriced)
    return item
