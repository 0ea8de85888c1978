"""In which order a fan-out reaches a strategy's followers: the same ones are not beyond a lane's weight each time.

Those that the strategy's last entry alert left out by weight come first. The others follow by their creation, from
another place with each alert, and around. An admin's order reaches the followers that it names, from the oldest on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from shared.clock import to_iso
from shared.concurrency import run_concurrently
from shared.models.base import in_chunks
from shared.models.execution import Execution, trigger_partitions
from shared.models.follower import Follower
from shared.models.trigger import Trigger
from shared.models.trigger_count import TriggerCount
from shared.trading.execution import DenialReason

_LOOK_BACK = 20
"""How many of a strategy's last triggers are searched for its last entry alert; others are exits and admins' orders."""
_CHUNK = 100
_SHARE_OF_PAGE = 3
"""The next alert begins a third of a page further on."""
# Bounds of `created_key`, which begins with a year and ends with an id in hex.
_BEFORE_ALL = "0"
_AFTER_ALL_IDS = "~"


@dataclass(frozen=True, slots=True)
class Rotation:
    """The place that a fan-out begins at, and who comes before."""

    start: str | None = None
    """`created_key` from which on the followers are read; None is the oldest's."""
    left_out: Sequence[Follower] = field(default=())
    """Those that the last alert left out by weight."""


def plan(trigger: Trigger) -> Rotation:
    """Return the order of a trigger's followers; of one whose fan-out has begun, as it was begun."""
    if trigger.follower_ids is not None:
        return Rotation()
    if trigger.fanout_checkpoint is not None:
        return Rotation(trigger.fanout_start)  # those who were left out have their executions
    last = _last_alert_before(trigger)
    if last is None:
        return Rotation()
    start = last.next_start if last.next_start is not None and last.next_start <= _youngest(trigger) else None
    return Rotation(start, _left_out_by(last))


def _last_alert_before(trigger: Trigger) -> Trigger | None:
    # The index may lag behind by an alert: then the order is that of the alert before, and everybody is still reached.
    keys = Trigger.by_strategy.query(
        trigger.strategy_id, Trigger.seq < trigger.seq, scan_index_forward=False, limit=_LOOK_BACK
    )
    found = Trigger.find_many([key.id for key in keys], consistent=True).values()
    alerts = [one for one in found if one.follower_ids is None and one.opens]
    return max(alerts, key=lambda one: one.seq, default=None)


def _left_out_by(last: Trigger) -> list[Follower]:
    if not TriggerCount.totals(last.id).left_out:
        return []
    parts = run_concurrently(_execution_ids, trigger_partitions(last.id))
    executions = run_concurrently(Execution.find_many, in_chunks([one for part in parts for one in part], _CHUNK))
    keys = sorted(
        (execution.strategy_id, execution.follower_key)
        for chunk in executions
        for execution in chunk.values()
        if execution.reason == DenialReason.WEIGHT_EXHAUSTED
    )
    return list(Follower.find_many(keys, consistent=True).values())


def _execution_ids(part: str) -> list[str]:
    return [key.id for key in Execution.by_trigger.query(part)]


def read_page(trigger: Trigger, rotation: Rotation, *, size: int) -> tuple[list[Follower], bool]:
    """Return the next followers after the checkpoint, and whether they are the last. None is newer than the trigger."""
    start, youngest = rotation.start or _BEFORE_ALL, _youngest(trigger)
    checkpoint: str | None = trigger.fanout_checkpoint
    wanted = size + 1  # one more shows whether more follow
    ahead: list[Follower] = []
    if checkpoint is None or checkpoint >= start:
        ahead = _between(trigger, checkpoint or start, youngest, without=checkpoint, limit=wanted)
        checkpoint = None
    if len(ahead) < wanted and start != _BEFORE_ALL:
        around = _between(trigger, checkpoint or _BEFORE_ALL, start, without=checkpoint, limit=wanted - len(ahead))
        ahead += [follower for follower in around if follower.created_key != start]
    return ahead[:size], len(ahead) <= size


def _between(trigger: Trigger, first: str, last: str, *, without: str | None, limit: int) -> list[Follower]:
    """Return followers from one place to another, both included; the one at `without` has its execution."""
    found = Follower.query(
        trigger.strategy_id, Follower.created_key.between(first, last), consistent_read=True, limit=limit + 1
    )
    return [follower for follower in found if follower.created_key != without][:limit]


def next_start(page: Sequence[Follower]) -> str | None:
    """Return where the next alert's fan-out begins, by the first page of this one."""
    return page[max(1, len(page) // _SHARE_OF_PAGE)].created_key if len(page) > 1 else None


def _youngest(trigger: Trigger) -> str:
    return f"{to_iso(trigger.created_at)}#{_AFTER_ALL_IDS}"
