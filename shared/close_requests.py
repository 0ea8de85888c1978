"""Requests that followers' positions are closed. Closes nothing itself: only the order executor trades.

First it records the close's place in time, up to which nothing is opened any more: neither by an execution that a
fan-out has yet to write, nor by an alert that fired earlier and comes late. Then it requests the close of each
execution that exists.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from functools import partial

from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action

from shared.clock import utc_now
from shared.concurrency import run_concurrently
from shared.config import settings
from shared.errors import RecordChanged, ServiceUnavailable
from shared.messages import Command
from shared.models.base import conditional_write, in_chunks
from shared.models.execution import Execution, trigger_partitions
from shared.models.follower import Follower
from shared.models.position_slot import PositionSlot
from shared.models.strategy import Strategy
from shared.models.strategy_alerts import StrategyAlerts
from shared.models.trigger import Trigger
from shared.observability import logger
from shared.order_dispatch import send_orders
from shared.trading.execution import CloseReason, Desired, ExecutionState
from shared.trading.ids import execution_id
from shared.trading.place import PlaceInTime

_PAGE = 100
_RECENT = 5
_CLOCK_SKEW_S = 30
_CHANGE_ATTEMPTS = 5


def close_all(strategy: Strategy, *, delivery: str) -> list[Execution]:
    """Request the close of every position that the strategy's followers hold or are about to open; return those.

    A repeat queues what is closing already once more, under the new `delivery`.
    """
    _record_place(StrategyAlerts(strategy.id))
    closing: list[Execution] = []
    # Queued executions first: one that starts meanwhile has taken its slot, which is read below.
    for trigger_id in _fresh_triggers(strategy.id):
        for waiting in in_chunks(_execution_ids(trigger_id), _PAGE):
            closing += _close(waiting, delivery=delivery)
    known = {execution.id for execution in closing}
    # Consistent, so that no position which is there when the admin asks is left out.
    followers = Follower.query(strategy.id, consistent_read=True, page_size=_PAGE)
    for page in in_chunks(followers, _PAGE):
        closing += _close([held for held in _held_by(page) if held not in known], delivery=delivery)
    logger.info("strategy_close_requested", strategy_id=strategy.id, executions=len(closing))
    return closing


def close_one(follower: Follower, *, delivery: str, reason: CloseReason | None = None) -> list[Execution]:
    """Request the close of every position that one follower holds or is about to open; may be repeated.

    Without a `reason`, what closes for this is booked as closed by an admin.
    """
    _record_place(Follower(follower.strategy_id, follower.created_key))
    waiting = [execution_id(trigger_id, follower.id) for trigger_id in _fresh_triggers(follower.strategy_id)]
    closing = _close(waiting, delivery=delivery, reason=reason)
    known = {execution.id for execution in closing}
    held = [one for one in _held_by([follower]) if one not in known]
    closing += _close(held, delivery=delivery, reason=reason)
    logger.info("follower_close_requested", follower_id=follower.id, executions=len(closing))
    return closing


def _record_place(record: StrategyAlerts | Follower) -> None:
    """Record the place in time of this close, unless the follower is gone or the record has a later one."""
    received_at = utc_now()
    alerts = StrategyAlerts.find(record.strategy_id)
    last_seq, latest = (0, None) if alerts is None else (alerts.last_seq, alerts.latest_alert_place)
    place = PlaceInTime.of_closing(received_at=received_at, seq=last_seq, latest=latest)
    model = type(record)
    actions: list[Action] = [model.closed_place.set(place)]
    condition: Condition = model.closed_place.does_not_exist() | (model.closed_place < place)
    if isinstance(record, StrategyAlerts):
        # Before the strategy's first alert there is no record yet, and an alert that has fired may be on its way.
        actions.append(StrategyAlerts.last_seq.set(StrategyAlerts.last_seq | 0))
    else:
        condition &= Follower.strategy_id.exists()
    with conditional_write():
        record.update(actions=actions, condition=condition)


def _fresh_triggers(strategy_id: str) -> list[str]:
    """Return the triggers whose executions may still be queued: executions of older ones open nothing."""
    oldest = utc_now() - timedelta(seconds=settings().max_alert_age_s + _CLOCK_SKEW_S)
    fresh: list[str] = []
    for keys in in_chunks(Trigger.by_strategy.query(strategy_id, scan_index_forward=False, page_size=_RECENT), _RECENT):
        found = Trigger.find_many(key.id for key in keys).values()
        fresh += [trigger.id for trigger in found if trigger.active and trigger.created_at >= oldest]
        if any(trigger.created_at < oldest for trigger in found):
            break
    return fresh


def _execution_ids(trigger_id: str) -> Iterator[str]:
    for part in trigger_partitions(trigger_id):
        for key in Execution.by_trigger.query(part):
            yield key.id


def _held_by(followers: Sequence[Follower]) -> list[str]:
    """Return the executions that hold the followers' positions, or are about to open them."""
    slots = PositionSlot.find_many(((one.api_key_id, one.symbol) for one in followers), consistent=True)
    return [
        slot.execution_id
        for follower in followers
        if (slot := slots.get((follower.api_key_id, follower.symbol))) is not None
        and slot.follower_id == follower.id
        and slot.execution_id is not None
    ]


def _close(execution_ids: Sequence[str], *, delivery: str, reason: CloseReason | None = None) -> list[Execution]:
    found = Execution.find_many(execution_ids, consistent=True)
    requested = run_concurrently(
        partial(_request_close, reason=reason), [found[one] for one in execution_ids if one in found]
    )
    closing = [execution for execution in requested if execution is not None]
    # The desired state is stored first: should the sending fail, the next reconciliation of the execution applies it.
    send_orders(closing, Command.CLOSE, delivery=delivery)
    return closing


def _request_close(execution: Execution, *, reason: CloseReason | None) -> Execution | None:
    """Store that the execution is to be closed; return None when it has ended, or opens nothing."""
    for _ in range(_CHANGE_ATTEMPTS):
        if not execution.active or not execution.opens:
            return None
        if execution.desired is Desired.CLOSED:
            return execution
        try:
            if reason is None or execution.close_reason is not None or execution.state is ExecutionState.QUEUED:
                execution.change(desired=Desired.CLOSED)
            else:
                execution.change(desired=Desired.CLOSED, close_reason=reason.value)
        except RecordChanged:
            execution.refresh(consistent_read=True)
        else:
            return execution
    raise ServiceUnavailable("positions are changing too fast, please repeat the request")
