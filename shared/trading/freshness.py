"""Judges whether a trigger may still open a position. Exits are never judged."""

from datetime import datetime, timedelta
from decimal import Decimal

from shared.trading.arithmetic import exact
from shared.trading.execution import DenialReason
from shared.trading.place import born_at


def fresh_until(*, fired_at: datetime | None, received_at: datetime, max_age_s: float) -> datetime:
    """Return the time until which a trigger may open a position, by its age."""
    return born_at(fired_at=fired_at, received_at=received_at) + timedelta(seconds=max_age_s)


def judge_freshness(
    *,
    fired_at: datetime | None,
    received_at: datetime,
    now: datetime,
    superseded: bool,
    order_price: Decimal,
    stop: Decimal,
    market_price: Decimal | None,
    max_age_s: float,
    max_chase: Decimal,
    max_distance_pct: Decimal,
) -> DenialReason | None:
    """Return why a trigger must not open a position now, or None; without a market price, the distance is not judged.

    The market may lie as far from the order price as `max_chase` (a share) of the distance from there to the stop, and
    `max_distance_pct` percent of the order price at most.

    `superseded`: the strategy has an alert of a later place in time. The `order_price` of an admin's trigger is the
    market's price at its acceptance, so the distance is how far the market has moved since.
    """
    if now > fresh_until(fired_at=fired_at, received_at=received_at, max_age_s=max_age_s):
        return DenialReason.STALE
    if superseded:
        return DenialReason.SUPERSEDED
    if market_price is not None:
        with exact():
            most = farthest_from_order_price(
                order_price=order_price, stop=stop, max_chase=max_chase, max_distance_pct=max_distance_pct
            )
            if abs(market_price - order_price) > most:
                return DenialReason.PRICE_MOVED
    return None


def farthest_from_order_price(
    *, order_price: Decimal, stop: Decimal, max_chase: Decimal, max_distance_pct: Decimal
) -> Decimal:
    """Return how far from the order price the market may lie for an entry."""
    with exact():
        return min(max_chase * abs(order_price - stop), max_distance_pct * order_price / 100)
