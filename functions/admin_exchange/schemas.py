"""What the endpoints of exchange keys take and answer. What the exchange says is shaped where it is read."""

from __future__ import annotations

from decimal import Decimal
from typing import TypedDict

from shared.api.days import DaysQuery
from shared.api.fields import Limit, Symbol
from shared.api.requests import Query
from shared.clock import to_iso
from shared.models.balance_day import BalanceDay
from shared.models.follower import Follower


class PositionQuery(Query):
    """List Futures Open Positions: the query."""

    symbol: Symbol | None = None


class OrderQuery(Query):
    """List Open Orders, List Order History, List Trade History: the query."""

    symbol: Symbol


class FollowerQuery(Query):
    """Get Strategy Follow: the query."""

    symbol: Symbol


class BalanceHistoryQuery(DaysQuery):
    """List Exchange Key Balance History: the query."""

    limit: Limit = 100


class BalanceDayItem(TypedDict):
    """List Exchange Key Balance History: one day."""

    date: str
    totalUSD: Decimal


class FollowerItem(TypedDict):
    """Get Strategy Follow: the follower."""

    id: str
    active: bool
    createdAt: str
    updatedAt: str


def balance_day_item(day: BalanceDay) -> BalanceDayItem:
    """Return a day as documented."""
    return {"date": day.date, "totalUSD": day.total_usd}


def follower_item(follower: Follower) -> FollowerItem:
    """Return a follower as documented."""
    return {
        "id": follower.id,
        "active": follower.active,
        "createdAt": to_iso(follower.created_at),
        "updatedAt": to_iso(follower.updated_at),
    }
