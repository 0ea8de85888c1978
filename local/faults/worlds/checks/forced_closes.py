"""Positions that the exchange has closed by itself are booked as what they are: delisted, or liquidated."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from local.faults.worlds.world import World
from shared.models.execution import Execution
from shared.trading.execution import CloseReason

_REASONS = {"autoclose-": CloseReason.LIQUIDATION, "settlement_autoclose-": CloseReason.DELISTED}
"""How the client ids of the exchange's own orders begin, and what they mean."""


def check(world: World, executions: Sequence[Execution]) -> Iterator[str]:
    """Yield the followers whose executions give other reasons than the exchange had."""
    for sharing in world.sharing():
        follows, followers = sharing[0], {one.record.id for one in sharing}
        expected = Counter(
            reason
            for order in follows.account.orders.values()
            for prefix, reason in _REASONS.items()
            if order.symbol == follows.symbol and order.executed and order.client_order_id.startswith(prefix)
        )
        booked = Counter(one.close_reason for one in executions if one.follower_id in followers)
        for reason in _REASONS.values():
            if booked[reason] != expected[reason]:
                yield f"{follows.record.id}: {expected[reason]} ended {reason}, {booked[reason]} say so"
