"""Accepts triggers: gives each its strategy's next `seq`, stores it once, queues it. Validates no request.

An entry alert that comes after a newer alert is accepted as well, so that it has an answer, but marked as overtaken.
An exit is never overtaken: it is for what is older than itself, whenever it comes. Reductions and updates overtake
nothing either. They are remembered for as long as an entry that it means may still be opened.

A trigger is durable before the request is answered: it is stored in one transaction with its `seq`, then queued. A
crash between the two leaves it PENDING, until the repeat of the alert, or the delayed check, queues it.
"""

from __future__ import annotations

import dataclasses
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import assert_never
from uuid import uuid4

from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action
from pynamodb.transactions import TransactWrite

from shared import messages
from shared.alert_identity import AlertIdentity
from shared.concurrency import run_concurrently
from shared.config import settings
from shared.errors import RecordChanged
from shared.messages import FanoutCheck, TriggerMessage, send_dead_man_messages, send_trigger
from shared.models.base import SCHEMA_VERSION, transact
from shared.models.strategy import Strategy
from shared.models.strategy_alerts import RecentExit, StrategyAlerts
from shared.models.trigger import FanoutState, Trigger, day_of
from shared.trading.exits import Exit
from shared.trading.place import PlaceInTime
from shared.trading.sides import StrategySource, TriggerAction
from shared.trading.signal import Content, Signal, fingerprint

_ATTEMPTS = 12
_SUPERSEDING = (TriggerAction.OPEN, TriggerAction.CLOSE)
_CLOCK_SKEW_S = 30
_NO_ALERT = ""
"""The content of an admin's exit: no alert is a repeat of it."""
_MOST_RECENT_EXITS = 100
"""Bounds the record, which each entry reads: a strategy that sends more in a minute and a half loses the oldest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Acceptance:
    """The trigger of an accepted alert; `repeated` when an earlier delivery of the alert created it."""

    trigger_id: str
    repeated: bool


@dataclass(frozen=True, slots=True)
class _LatestAlert:
    """What a strategy's record says once an alert is accepted: the newest place, and the alert's own content."""

    newest: PlaceInTime | None
    """None before the first alert that supersedes others."""
    content: str


def accept_alert(
    strategy: Strategy,
    instruction: Signal | Exit,
    *,
    alerts: StrategyAlerts | None,
    received_at: datetime,
    fired_at: datetime | None = None,
    win_rate: str | None = None,
    alert_id: str | None = None,
) -> Acceptance:
    """Store and queue an alert's trigger, or find the one that an earlier delivery of the alert has stored.

    `alerts` is the record that was read with the strategy; it is read again if it has changed since.
    Raise AlertIdTaken when `alert_id` was used with other content, RecordChanged when the record changed during every
    attempt.
    """
    identity = AlertIdentity(
        strategy_id=strategy.id, content=_content(instruction), fired_at=fired_at, alert_id=alert_id
    )
    for attempt in range(1, _ATTEMPTS + 1):
        first = identity.find_first(alerts, received_at=received_at)
        try:
            if first.trigger_id is not None:
                # What this delivery is known by leads to the first one's answer for 24 hours.
                claim = identity.claim(first, trigger_id=first.trigger_id, at=received_at)
                if claim is not None:
                    transact(claim)
                return _accept_repeat(first.trigger_id)
            trigger = _new_trigger(
                strategy,
                interpret_alert(strategy, instruction, alerts, fired_at=fired_at, received_at=received_at),
                source=StrategySource.TRADINGVIEW,
                seq=_next_seq(alerts),
                at=received_at,
            )
            trigger.fired_at = fired_at
            trigger.win_rate = win_rate
            trigger.alert_id = alert_id
            latest = _latest_place(alerts)
            newest = max((one for one in (latest, _superseding_place(trigger)) if one is not None), default=None)
            trigger.overtaken = trigger.opens and newest is not None and trigger.place < newest
            claim = identity.claim(first, trigger_id=trigger.id, at=received_at)
            _store(trigger, alerts, alert=_LatestAlert(newest, identity.content), also=claim)
        except RecordChanged:
            # Another alert took the seq, or the same alert arrived twice at once: read again and decide again.
            _back_off(attempt)
            alerts = StrategyAlerts.find(strategy.id)
            continue
        _queue_with_check(trigger)
        return Acceptance(trigger_id=trigger.id, repeated=False)
    raise RecordChanged(f"the alerts of strategy {strategy.id} kept changing")


def accept_admin_order(
    strategy: Strategy,
    instruction: Signal | Exit,
    *,
    follower_ids: Sequence[str] | None,
    received_at: datetime,
    trigger_id: str | None = None,
    also: Callable[[TransactWrite], None] | None = None,
) -> Trigger:
    """Store and queue an admin's trigger for the given followers, None means all; it supersedes nothing.

    `trigger_id` may be generated by the caller; `also(transaction)` adds writes that succeed or fail together with
    the trigger, such as the record of an idempotency key. Raise RecordChanged when one of those is refused.
    """
    for attempt in range(1, _ATTEMPTS + 1):
        alerts = StrategyAlerts.find(strategy.id)
        seq = _next_seq(alerts)
        trigger = _new_trigger(strategy, instruction, source=StrategySource.ADMIN, seq=seq, at=received_at)
        trigger.id = trigger_id or trigger.id
        trigger.follower_ids = None if follower_ids is None else list(dict.fromkeys(follower_ids))
        try:
            _store(trigger, alerts, alert=None, also=also)
        except RecordChanged:
            if _next_seq(StrategyAlerts.find(strategy.id)) == trigger.seq:
                raise  # the seq was still free: one of the caller's writes was refused
            _back_off(attempt)
            continue
        _queue_with_check(trigger)
        return trigger
    raise RecordChanged(f"the alerts of strategy {strategy.id} kept changing")


def _content(instruction: Signal | Exit) -> str:
    if isinstance(instruction, Exit):
        asked: dict[str, Content] = {
            "exit": instruction.action.value,
            "side": instruction.side,
            "keepShare": instruction.keep_share,
            "positionSize": instruction.position_size,
            "update": None if instruction.update is None else dataclasses.asdict(instruction.update),
        }
        return fingerprint(asked)
    return fingerprint({"signal": instruction})


def interpret_alert(
    strategy: Strategy,
    instruction: Signal | Exit,
    alerts: StrategyAlerts | None,
    *,
    fired_at: datetime | None,
    received_at: datetime,
) -> Signal | Exit:
    """Return an entry after which the strategy's position is smaller than at its entry as the reduction that it is."""
    if isinstance(instruction, Exit) or alerts is None:
        return instruction
    side, size = instruction.side, instruction.position_size
    place = PlaceInTime.of_trigger(
        TriggerAction.REDUCE, fired_at=fired_at, received_at=received_at, seq=_next_seq(alerts)
    )
    if not alerts.reduces(place, side=side, size=size, active_since=strategy.active_since):
        return instruction
    return Exit(TriggerAction.REDUCE, side=side, position_size=size)


def _superseding_place(trigger: Trigger) -> PlaceInTime | None:
    """Return the place up to which the trigger supersedes entries; None if it supersedes none."""
    return trigger.place if trigger.action in _SUPERSEDING else None


def _next_seq(alerts: StrategyAlerts | None) -> int:
    return 1 if alerts is None else alerts.last_seq + 1


def _latest_place(alerts: StrategyAlerts | None) -> PlaceInTime | None:
    """Return the place in time of the strategy's latest alert, or None before the first."""
    if alerts is None:
        return None
    if alerts.latest_alert_place is not None or alerts.latest_trigger_id is None:
        return alerts.latest_alert_place
    # A record of an earlier version has no place, but it names the alert.
    latest = Trigger.find(alerts.latest_trigger_id)
    return None if latest is None else latest.place


def requeue_if_pending(trigger_id: str) -> None:
    """Queue a trigger again unless its fan-out has begun: its first request may have crashed before queueing it.

    Queueing it twice does no harm: SQS de-duplicates by its id.
    """
    trigger = Trigger.find(trigger_id)
    if trigger is not None and trigger.fanout_state is FanoutState.PENDING:
        _queue(trigger)


def _accept_repeat(trigger_id: str) -> Acceptance:
    requeue_if_pending(trigger_id)
    return Acceptance(trigger_id=trigger_id, repeated=True)


def _new_trigger(
    strategy: Strategy, instruction: Signal | Exit, *, source: StrategySource, seq: int, at: datetime
) -> Trigger:
    trigger = Trigger(
        id=str(uuid4()),
        strategy_id=strategy.id,
        seq=seq,
        strategy_source=source,
        exchange_id=strategy.exchange_id,
        symbol=strategy.symbol,
        accepted_on=day_of(at),
        created_at=at,
        updated_at=at,
    )
    if isinstance(instruction, Exit):
        trigger.action = instruction.action
        trigger.position_side = instruction.side
        trigger.keep_share = instruction.keep_share
        trigger.position_size = instruction.position_size
        if instruction.update is not None:
            trigger.stop = instruction.update.stop
            trigger.stop_at_breakeven = instruction.update.breakeven or None
            trigger.breakeven_after = instruction.update.breakeven_after
            trigger.take_profits = list(instruction.update.take_profits)
    else:
        _set_signal(trigger, instruction)
        _copy_rules(trigger, strategy)
    return trigger


def _set_signal(trigger: Trigger, signal: Signal) -> None:
    trigger.side = signal.side
    trigger.price = signal.order_price
    trigger.stop = signal.stop
    trigger.stop_type = signal.stop_type
    trigger.take_profits = list(signal.take_profits)
    trigger.position_size = signal.position_size
    trigger.breakeven_after = signal.breakeven_after
    if signal.trailing is not None:
        trigger.trailing_trigger = signal.trailing.trigger
        trigger.callback_rate = signal.trailing.callback_rate


def _copy_rules(trigger: Trigger, strategy: Strategy) -> None:
    if trigger.breakeven_after is None:  # the alert's own goes first
        trigger.breakeven_after = strategy.breakeven_after
    trigger.take_profit_weights = strategy.take_profit_weights
    trigger.max_chase = strategy.max_chase


def _store(
    trigger: Trigger,
    alerts: StrategyAlerts | None,
    *,
    alert: _LatestAlert | None,
    also: Callable[[TransactWrite], None] | None,
) -> None:
    """Write the trigger together with its seq; `alert` is None for an admin's order."""
    actions: list[Action] = [
        StrategyAlerts.last_seq.set(trigger.seq),
        StrategyAlerts.schema_version.set(SCHEMA_VERSION),
    ]
    if alert is not None:
        actions += _record_alert(trigger, alert, alerts)
    elif not trigger.opens:
        actions += _record_recent_exits(trigger, _LatestAlert(_latest_place(alerts), _NO_ALERT), alerts)
    unchanged: Condition = StrategyAlerts.strategy_id.does_not_exist()
    if alerts is not None:
        unchanged = StrategyAlerts.last_seq == alerts.last_seq

    def write(transaction: TransactWrite) -> None:
        transaction.update(StrategyAlerts(trigger.strategy_id), actions=actions, condition=unchanged)
        transaction.save(trigger, condition=Trigger.id.does_not_exist())
        if also is not None:
            also(transaction)

    transact(write)


def _record_alert(trigger: Trigger, alert: _LatestAlert, alerts: StrategyAlerts | None) -> list[Action]:
    """Return what records the newest place, and by what a repeat of this alert is recognised.

    An exit that is not the newest has a record of its own beside the newest alert's: both may be repeated.
    """
    actions: list[Action] = [StrategyAlerts.last_received_at.set(trigger.created_at)]
    actions += _record_recent_exits(trigger, alert, alerts)
    if alert.newest is not None:
        actions += [
            StrategyAlerts.latest_alert_place.set(alert.newest),
            StrategyAlerts.latest_alert_seq.set(alert.newest.seq),
        ]
    if trigger.place == alert.newest:
        actions += [
            StrategyAlerts.latest_trigger_id.set(trigger.id),
            StrategyAlerts.latest_fingerprint.set(alert.content),
            StrategyAlerts.latest_received_at.set(trigger.created_at),
        ]
    match trigger.action:
        case TriggerAction.OPEN:
            if trigger.place == alert.newest:
                actions += _record_entry(trigger)
        case TriggerAction.CLOSE:
            actions += [
                StrategyAlerts.latest_exit_place.set(trigger.place),
                StrategyAlerts.latest_exit_trigger_id.set(trigger.id),
                StrategyAlerts.latest_exit_fingerprint.set(alert.content),
                StrategyAlerts.latest_exit_received_at.set(trigger.created_at),
            ]
        case TriggerAction.REDUCE | TriggerAction.UPDATE:
            pass  # among the recent exits
        case _:
            assert_never(trigger.action)
    return actions


def _record_recent_exits(trigger: Trigger, alert: _LatestAlert, alerts: StrategyAlerts | None) -> list[Action]:
    recent = _recent_exits(trigger, alert, alerts)
    if recent:
        return [StrategyAlerts.recent_exits.set([one.to_json() for one in recent])]
    return [StrategyAlerts.recent_exits.remove()] if alerts is not None and alerts.recent_exits else []


def _record_entry(trigger: Trigger) -> list[Action]:
    size = StrategyAlerts.entry_size
    return [
        StrategyAlerts.entry_place.set(trigger.place),
        StrategyAlerts.entry_side.set(trigger.side),
        size.remove() if trigger.position_size is None else size.set(trigger.position_size),
    ]


def _recent_exits(trigger: Trigger, alert: _LatestAlert, alerts: StrategyAlerts | None) -> list[RecentExit]:
    """Return the exits that may still mean an entry on its way, this alert among them; the newest by place, at most.

    An older entry is stale by then, or a newer alert has superseded it.
    """
    oldest = trigger.created_at - timedelta(seconds=settings().max_alert_age_s + _CLOCK_SKEW_S)
    known = alerts.exits_since(oldest) if alerts is not None else []
    kept = [one for one in known if alert.newest is None or alert.newest < one.place]
    if trigger.action in {TriggerAction.REDUCE, TriggerAction.UPDATE}:
        new = RecentExit(
            place=trigger.place,
            exit=trigger.exit,
            trigger_id=trigger.id,
            fingerprint=alert.content,
            received_at=trigger.created_at,
            for_some=trigger.follower_ids is not None,
        )
        kept.append(new)
    return sorted(kept, key=lambda one: one.place)[-_MOST_RECENT_EXITS:]


def _queue_with_check(trigger: Trigger) -> None:
    messages.connect()  # the two threads must not create the client at the same time
    # The sends are independent: if the trigger cannot be queued, the dead-man message queues it later.
    sends: tuple[Callable[[Trigger], None], ...] = (_send_fanout_check, _queue)
    run_concurrently(lambda send: send(trigger), sends)


def _queue(trigger: Trigger) -> None:
    send_trigger(TriggerMessage(trigger_id=trigger.id, strategy_id=trigger.strategy_id), dedup_id=trigger.id)


def _send_fanout_check(trigger: Trigger) -> None:
    send_dead_man_messages([FanoutCheck(trigger.id)])


def _back_off(attempt: int) -> None:
    time.sleep(random.uniform(0.002, 0.01) * min(attempt, 5))  # noqa: S311 - jitter, not a secret
