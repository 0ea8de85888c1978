"""What the watcher must know of a position that has been looked at: the prices at which something may happen to it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from decimal import Decimal

from functions.order_executor.session import ExecutionSession
from functions.order_executor.venue_orders import leg_of
from shared.clock import utc_now
from shared.exchange.venue_views import OrderView
from shared.models.execution import LastLook, WatchedPrices
from shared.models.order import OrderStatus
from shared.trading.ids import STOP_LEGS, TAKE_PROFIT_LEGS, Leg
from shared.trading.sides import Side

_LISTED_WITHIN = timedelta(seconds=10)
"""A standing order is in the exchange's list at the latest so long after it was sent."""


def watched(session: ExecutionSession, listed: Sequence[OrderView]) -> LastLook:
    """Return when the position was looked at and the prices of its exits, for its execution.

    `listed` are the account's standing orders as this look has read them. A limit stop that has triggered may rest
    behind a gap, where no price says when it fills: then no time is returned, and the position is looked at each time.
    """
    prices = list(_standing(session, listed))
    behind = [price for leg, price in prices if leg in STOP_LEGS and price is not None]
    ahead = [price for leg, price in prices if leg in TAKE_PROFIT_LEGS and price is not None]
    trailing = [price for leg, price in prices if leg is Leg.TRAILING]
    below, above = (behind, ahead) if session.execution.side is Side.BUY else (ahead, behind)
    found = WatchedPrices(
        below=_text(max(below, default=None)),
        above=_text(min(above, default=None)),
        liquidation=_text(session.liquidation_price),
    )
    if trailing:
        found["trailing"], found["activation"] = True, _text(trailing[-1])
    triggered = any(order.actual_order_id is not None for order in session.ledger.of_leg(*STOP_LEGS))
    return LastLook(looked_at=None if triggered else session.read_at or utc_now(), watched=found)


def _standing(session: ExecutionSession, listed: Sequence[OrderView]) -> Iterator[tuple[Leg, Decimal | None]]:
    """Yield leg and price of our orders that are listed, and of those that are too young to be."""
    for view in listed:
        leg, order = leg_of(session, view), session.ledger.orders.get(view.client_order_id)
        if leg is Leg.TRAILING:
            yield leg, None if order is None else order.trigger_price  # the exchange lists no activation price
        elif leg is not None and view.status.is_open:
            yield leg, view.trigger_price if view.conditional else view.price
    for order in session.ledger.orders.values():
        young = order.sent_at is not None and utc_now() - order.sent_at < _LISTED_WITHIN
        if young and order.status is OrderStatus.OPEN:
            yield order.leg, order.trigger_price if order.conditional else order.price


def _text(price: Decimal | None) -> str | None:
    return None if price is None else format(price, "f")
