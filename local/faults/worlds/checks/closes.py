"""A close that an admin has requested is done soon, whatever information of the exchange cannot be read.

A ban that is injected does not count: no request is possible then.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from local.faults.worlds.world import RequestedClose, World
from local.simulation.naked import without_bans_ms
from local.simulation.people import Follows
from shared.models.execution import Execution

LIVING_BOUND_MS = 30_000
KILLED_BOUND_MS = 90_000


def check(world: World, executions: Sequence[Execution]) -> Iterator[str]:
    """Yield the positions that were still held long after their close was requested."""
    bound_ms = KILLED_BOUND_MS if world.harms_workers else LIVING_BOUND_MS
    by_id = {execution.id: execution for execution in executions}
    people = {follows.record.id: follows for follows in world.people}
    for requested in world.requested_closes:
        execution = by_id[requested.execution_id]
        if execution.entry_filled_at is None or execution.dust_left:
            continue
        lasted_ms = _lasted_ms(world, people[execution.follower_id], requested)
        if lasted_ms > bound_ms:
            yield f"execution {execution.id} was closed only {lasted_ms} ms after an admin had requested it"


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
