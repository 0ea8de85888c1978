"""What the filters refuse is not sent again unchanged; a trailing stop is sent again without a passed activation."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from local.faults.worlds.world import World
from local.simulation.refusals import RefusedOrder
from shared.config import settings
from shared.models.order import Order, OrderStatus
from shared.trading.ids import Leg, parse_client_order_id

_FILTERS = frozenset({-1013, -1111, -4003, -4014, -4023})
_WITHIN_MS = 10_000
_ONCE_EACH = 2
"""Two workers may send the same: the second does not know what the first one, killed or still at it, was answered."""
_WOULD_TRIGGER = -2021
_ACTIVATION = "activatePrice"


def check(world: World) -> Iterator[str]:
    """Yield the violations."""
    yield from _sent_unchanged(world)
    yield from _trailing_given_up(world)


def _sent_unchanged(world: World) -> Iterator[str]:
    """Yield the orders that were sent again and again."""
    repeats: dict[object, list[RefusedOrder]] = defaultdict(list)
    for refused in world.exchange.refused_orders:
        if refused.code in _FILTERS:
            repeats[refused.api_key, refused.content, refused.code].append(refused)
    for orders in repeats.values():
        first = orders[0]
        soon = [one for one in orders if one.at_ms - first.at_ms <= _WITHIN_MS]
        if len(soon) > _ONCE_EACH:
            order = sorted(first.content)
            yield f"{first.api_key[:8]}: an order refused with {first.code} was sent {len(soon)} times: {order}"


def _trailing_given_up(world: World) -> Iterator[str]:
    """Yield the executions whose trailing stop was given up for its activation price, and not sent without it.

    One whose worker was killed in between is not given up; its position may be closed before the next worker sends it.
    Nor is one that the exchange took: it may reject a trailing stop later, when it triggers beside another exit.
    """
    refused: dict[str, set[bool]] = defaultdict(set)
    for order in world.exchange.refused_orders:
        ref = parse_client_order_id(order.client_order_id, prefix=settings().broker_prefix)
        if ref is None or ref.leg is not Leg.TRAILING:
            continue
        with_activation = any(name == _ACTIVATION for name, _ in order.content)
        if order.code == _WOULD_TRIGGER or not with_activation:
            refused[ref.execution_id].add(with_activation)
    for execution_id, kinds in refused.items():
        orders = Order.query(execution_id, consistent_read=True)
        given_up = any(
            order.leg is Leg.TRAILING and order.status is OrderStatus.REJECTED and order.exchange_order_id is None
            for order in orders
        )
        if False not in kinds and given_up:
            yield f"execution {execution_id} has lost its trailing stop, whose activation the market had passed"
