"""An entry has targets ahead of the market, and is tried again if the exchange did not take it.

A key of which it is known that it may not trade makes no request.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from decimal import Decimal

from local.faults.worlds.our_orders import ref_of
from local.faults.worlds.world import World
from local.simulation.people import Follows
from shared.config import settings
from shared.models.execution import Execution
from shared.trading.execution import ExecutionState, Reason
from shared.trading.freshness import fresh_until
from shared.trading.ids import ENTRY_LEGS
from shared.trading.readiness import DENIES_FOR
from shared.trading.sides import Side

_JUDGED_WITHIN_MS = 10_000
"""So long before an entry was placed at the most, the market was read for it."""
_LAST_PAUSE_S = 30.0
"""Nearer to its end, an alert's next try may come too late: pauses grow to a quarter of its age."""


def check(world: World, executions: Sequence[Execution]) -> Iterator[str]:
    """Yield the violations."""
    by_id = {execution.id: execution for execution in executions}
    for follows, *_ in world.sharing():
        yield from _without_targets(world, follows, by_id)
    for execution in executions:
        yield from _given_up(execution)
    for follows in world.people:
        if follows.account.is_hedge_mode:
            yield from _asked_for_unfit(follows, executions)


def _without_targets(world: World, follows: Follows, executions: dict[str, Execution]) -> Iterator[str]:
    """Yield the entries before which every price that was read had passed every target."""
    offset_ms = world.exchange.venue.settings.clock_offset_ms
    for order in follows.account.orders.values():
        ref = ref_of(order)
        if ref is None or ref.leg not in ENTRY_LEGS or order.symbol != follows.symbol:
            continue
        execution, placed_ms = executions[ref.execution_id], order.created_ms - offset_ms
        read = world.exchange.prices_read[follows.symbol]
        prices = [price for at_ms, price in read if placed_ms - _JUDGED_WITHIN_MS <= at_ms <= placed_ms]
        if prices and all(_has_passed(execution, price) for price in prices):
            yield f"execution {execution.id} was entered when the market had passed all its targets"


def _has_passed(execution: Execution, price: Decimal) -> bool:
    sign = Side(execution.side).sign
    return all((target - price) * sign <= 0 for target in execution.take_profits)


def _given_up(execution: Execution) -> Iterator[str]:
    """Yield the execution if the exchange did not take its entry, and it ended long before its alert was old."""
    if execution.state is not ExecutionState.FAILED or execution.reason != Reason.EXCHANGE_UNAVAILABLE:
        return
    until = fresh_until(
        fired_at=execution.fired_at, received_at=execution.received_at, max_age_s=settings().max_alert_age_s
    )
    if execution.closed_at is None or until - execution.closed_at > timedelta(seconds=_LAST_PAUSE_S):
        yield f"execution {execution.id} ended {execution.reason}: its entry was not tried again while it was fresh"


def _asked_for_unfit(follows: Follows, executions: Sequence[Execution]) -> Iterator[str]:
    """Yield the follower if requests were made for a key that a verdict of the last hour denies."""
    latest = max((one.updated_at for one in executions if one.follower_id == follows.record.id), default=None)
    if latest is None or latest - follows.record.created_at > DENIES_FOR:
        return
    if requests := sum(follows.account.requests.values()):
        yield f"{follows.record.id}: {requests} requests for a key of which it was known that it may not trade"
