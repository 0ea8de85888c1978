"""Tells our orders at the exchange from others, and which execution and leg each of ours belongs to."""

from __future__ import annotations

from local.paper_exchange.orders import AlgoOrder, Order
from shared.config import settings
from shared.trading.ids import Leg, OrderRef, parse_client_order_id


def ref_of(order: Order | AlgoOrder) -> OrderRef | None:
    """Return the execution, leg and attempt that the order's client id names; None if it is not ours."""
    name = order.client_order_id if isinstance(order, Order) else order.client_algo_id
    return parse_client_order_id(name or "", prefix=settings().broker_prefix)


def leg_of(order: Order | AlgoOrder) -> Leg | None:
    """Return the leg of an order of ours; None if it is not ours."""
    ref = ref_of(order)
    return ref.leg if ref is not None else None
