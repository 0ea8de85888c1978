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
from shared.models.order import Order, OrderStatus
from shared.trading.ids import STOP_LEGS, TAKE_PROFIT_LEGS, Leg
from shared.trading.sides import Side

_LISTED_WITHIN = timedelta(seconds=10)
"""A standing order is in the exchange's list at the latest so long after it was sent."""
_MAY_STAND = (OrderStatus.INTENDED, OrderStatus.OPEN)


def watched(session: ExecutionSession, listed: Sequence[OrderView]) -> LastLook:
    """Return when the position was looked at and the prices of its exits, for its execution.

    `listed` are the account's standing orders as this look has read them. A limit stop that has triggered may rest
    behind a gap, where no price says when it fills: then no time is returned, and the position is looked at each time.
    """
    triggered = any(order.actual_order_id is not None for order in session.ledger.of_leg(*STOP_LEGS))
    prices = _watched_prices(session, list(_standing(session, listed)))
    return LastLook(looked_at=None if triggered else session.read_at or utc_now(), watched=prices)


def watched_from_entry(session: ExecutionSession) -> LastLook:
    """Return the same of a position that this worker has just entered and protected, its targets being sent.

    It need not be looked at sooner than others: the account was flat before, and has answered to each of its orders. In
    a session that has not entered, nothing is returned.
    """
    execution = session.execution
    asked = execution.stop_requested is not None or execution.breakeven_requested or execution.awaits_targets
    if session.view_at_entry is None or asked:
        return LastLook()  # what updates have asked for before the entry is for the next look
    exits = session.ledger.of_leg(*STOP_LEGS, *TAKE_PROFIT_LEGS, Leg.TRAILING)
    prices = [(order.leg, _price(order)) for order in exits if order.status in _MAY_STAND]
    return LastLook(looked_at=utc_now(), watched=_watched_prices(session, prices))


def lacks_a_target(session: ExecutionSession, listed: Sequence[OrderView]) -> bool:
    """Return whether a target that stood after the entry is not listed at the first look, whose fills were not read."""
    if session.execution.seen_amount is not None or session.fills:
        return False
    names = {view.client_order_id for view in listed}
    targets = session.ledger.of_leg(*TAKE_PROFIT_LEGS, Leg.TRAILING)
    return any(order.status is OrderStatus.OPEN and order.client_order_id not in names for order in targets)


def _watched_prices(session: ExecutionSession, prices: Sequence[tuple[Leg, Decimal | None]]) -> WatchedPrices:
    behind = [price for leg, price in prices if leg in STOP_LEGS and price is not None]
    ahead = [price for leg, price in prices if leg in TAKE_PROFIT_LEGS and price is not None]
    if session.execution.breakeven_passed is not None:
        ahead.append(session.execution.breakeven_passed)  # once the market is back there, the stop can move
    trailing = [price for leg, price in prices if leg is Leg.TRAILING]
    below, above = (behind, ahead) if session.execution.side is Side.BUY else (ahead, behind)
    found = WatchedPrices(
        below=_text(max(below, default=None)),
        above=_text(min(above, default=None)),
        liquidation=_text(session.liquidation_price),
    )
    if trailing:
        found["trailing"], found["activation"] = True, _text(trailing[-1])
    return found


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
            yield order.leg, _price(order)


def _price(order: Order) -> Decimal | None:
    return order.trigger_price if order.conditional else order.price


def _text(price: Decimal | None) -> str | None:
    return None if price is None else format(price, "f")
