"""An order that the exchange has refused for its filters is not sent again unchanged."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from local.faults.worlds.world import World
from local.simulation.refusals import RefusedOrder

_FILTERS = frozenset({-1013, -1111, -4003, -4014, -4023})
_WITHIN_MS = 10_000
_ONCE_EACH = 2
"""Two workers may send the same: the second does not know what the first one, killed or still at it, was answered."""


def check(world: World) -> Iterator[str]:
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
