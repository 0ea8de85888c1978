"""How far back the exchange's histories reach, by the official SDK's descriptions of its calls. Pure.

What is older is left out without an error, from lists and from look-ups alike, also by id.
"""

from __future__ import annotations

from local.paper_exchange.orders import AlgoOrder, AlgoStatus, Order, OrderStatus

DAY_MS = 24 * 3600 * 1000
TRADES_MS = 90 * DAY_MS
"""Three months by the SDK of 2026; earlier texts of the same call say six."""
INCOME_MS = 90 * DAY_MS
ORDERS_MS = 90 * DAY_MS
_UNFILLED_MS = 3 * DAY_MS
_ENDED = {OrderStatus.CANCELED, OrderStatus.EXPIRED, OrderStatus.EXPIRED_IN_MATCH}
_ALGO_ENDED = {AlgoStatus.CANCELED, AlgoStatus.EXPIRED}


def shows_order(order: Order, now_ms: int) -> bool:
    """Return whether look-ups and lists of all orders show the order; the list of open orders always does."""
    unfilled = order.status in _ENDED and not order.executed
    return _is_young(order.created_ms, now_ms, unfilled=unfilled)


def shows_algo(algo: AlgoOrder, now_ms: int) -> bool:
    """Return whether look-ups and lists of all algo orders show the order; the list of open ones always does."""
    return _is_young(algo.created_ms, now_ms, unfilled=algo.status in _ALGO_ENDED)


def _is_young(created_ms: int, now_ms: int, *, unfilled: bool) -> bool:
    return created_ms + (_UNFILLED_MS if unfilled else ORDERS_MS) >= now_ms
