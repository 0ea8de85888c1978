"""A close that an admin has requested, or an exit alert, is done soon, whatever of the exchange cannot be read.

A ban that is injected does not count: no request is possible then.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from local.faults.worlds.checks import alerts
from local.faults.worlds.world import RequestedClose, World
from local.simulation.naked import without_bans_ms
from local.simulation.people import Follows
from shared.clock import to_ms
from shared.models.execution import Execution
from shared.models.trigger import Trigger
from shared.trading.sides import TriggerAction

LIVING_BOUND_MS = 30_000
KILLED_BOUND_MS = 90_000
_FAN_OUT_MS = 30_000
"""An exit alert has a fan-out before it."""


def check(world: World, executions: Sequence[Execution]) -> Iterator[str]:
    """Yield the positions that were still held long after their close was requested."""
    bound_ms = KILLED_BOUND_MS if world.harms_workers else LIVING_BOUND_MS
    by_id = {execution.id: execution for execution in executions}
    yield from _held_on(world, by_id, world.requested_closes, bound_ms=bound_ms, by="an admin")
    exits = [trigger for trigger in world.triggers() if trigger.action is TriggerAction.CLOSE]
    left = [one for close in exits for one in _meant_by(close, executions)]
    yield from _held_on(world, by_id, left, bound_ms=bound_ms + _FAN_OUT_MS, by="an exit alert")


def _held_on(
    world: World, executions: dict[str, Execution], closes: Sequence[RequestedClose], *, bound_ms: int, by: str
) -> Iterator[str]:
    people = {follows.record.id: follows for follows in world.people}
    for requested in closes:
        execution = executions[requested.execution_id]
        if execution.entry_filled_at is None or execution.dust_left:
            continue
        lasted_ms = _lasted_ms(world, people[execution.follower_id], requested)
        if lasted_ms > bound_ms:
            yield f"execution {execution.id} was closed only {lasted_ms} ms after {by} had requested it"


def _meant_by(close: Trigger, executions: Sequence[Execution]) -> Iterator[RequestedClose]:
    """Yield the positions that were open when an exit alert was accepted, and older than it."""
    at = close.created_at
    for execution in executions:
        if execution.strategy_id != close.strategy_id or execution.entry_filled_at is None:
            continue
        gone_at = execution.exited_at or execution.closed_at
        held = execution.entry_filled_at <= at and (gone_at is None or at < gone_at)
        if held and alerts.place_of(execution) < alerts.place(close):
            yield RequestedClose(execution.id, to_ms(at))


def _lasted_ms(world: World, follows: Follows, requested: RequestedClose) -> int:
    history = world.exchange.amounts_held[follows.account.api_key, follows.symbol]
    before = [amount for at_ms, amount in history if at_ms <= requested.at_ms]
    if not before or not before[-1]:
        return 0
    step = world.step_of(follows.symbol)
    if step and before[-1] % step:
        return 0  # a step that has grown since the entry: without filters, nobody can know what the exchange takes
    flat = (at_ms for at_ms, amount in history if at_ms > requested.at_ms and not amount)
    ended_ms = next(flat, world.exchange.wall_ms())
    return without_bans_ms(requested.at_ms, ended_ms, bans=world.injected_bans(follows.account.api_key))
