"""Accepts triggers: gives each its strategy's next `seq`, stores it once, queues it. Judges no request's fields.

Durable before it is answered: a trigger is stored in one transaction with its place in the strategy's time, then
queued. Between the two a crash leaves it PENDING, and the repeat of the alert (or the watcher) queues it.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import uuid4

from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action
from pynamodb.transactions import TransactWrite

from shared import messages
from shared.errors import LockstepError, RecordChanged
from shared.messages import FanoutCheck, TriggerMessage, send_dead_man, send_trigger
from shared.models.base import SCHEMA_VERSION, transact
from shared.models.idempotency_key import IdempotencyKey
from shared.models.strategy import Strategy
from shared.models.strategy_alerts import StrategyAlerts
from shared.models.trigger import FanoutState, Trigger
from shared.side_by_side import run_side_by_side
from shared.trading.sides import StrategySource
from shared.trading.signal import Signal, fingerprint

REPEAT_WINDOW = timedelta(seconds=30)
"""The latest alert's content, met again within this time, is the same alert."""

_ATTEMPTS = 12


class AlertIdTaken(LockstepError):
    """The alert's id was used with another content within the last 24 hours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Acceptance:
    """The trigger that answers an alert; `repeated` when an earlier delivery had brought it."""

    trigger_id: str
    repeated: bool


def accept_alert(
    strategy: Strategy,
    signal: Signal,
    *,
    alerts: StrategyAlerts | None,
    received_at: datetime,
    fired_at: datetime | None = None,
    win_rate: str | None = None,
    alert_id: str | None = None,
) -> Acceptance:
    """Store and queue an alert's trigger, or find the one that an earlier delivery of it has stored.

    `alerts` is what was read of the strategy's alerts along with it; if they have moved since, they are read again.
    Raise AlertIdTaken when `alert_id` stands for another content, RecordChanged when others kept moving the
    strategy's alerts through every attempt.
    """
    content = fingerprint({"signal": signal})
    alert_key = None if alert_id is None else f"alert#{strategy.id}#{alert_id}"
    for attempt in range(1, _ATTEMPTS + 1):
        known = None if alert_key is None else IdempotencyKey.find_valid(alert_key, at=received_at)
        if known is not None and known.fingerprint != content:
            raise AlertIdTaken(f"alert id of trigger {known.response}")
        if known is not None:
            return _answer_repeat(known.response)
        try:
            if alerts is not None and alerts.latest_trigger_id is not None and _repeats(alerts, content, received_at):
                # Under this id it has been answered now, so under this id the answer stays the same for its 24 hours.
                if alert_key is not None:
                    latest = alerts.latest_trigger_id
                    transact(IdempotencyKey.claim(alert_key, content=content, response=latest, at=received_at))
                return _answer_repeat(alerts.latest_trigger_id)
            trigger = _new_trigger(
                strategy, signal, source=StrategySource.TRADINGVIEW, seq=_next_seq(alerts), at=received_at
            )
            trigger.fired_at = fired_at
            trigger.win_rate = win_rate
            claim = None
            if alert_key is not None:
                claim = IdempotencyKey.claim(alert_key, content=content, response=trigger.id, at=received_at)
            _store(trigger, alerts, content=content, also=claim)
        except RecordChanged:
            # Another alert took the seq, or the same one came twice at once: read again and decide anew.
            _wait_a_little(attempt)
            alerts = StrategyAlerts.find(strategy.id)
            continue
        _queue_first(trigger)
        return Acceptance(trigger_id=trigger.id, repeated=False)
    raise RecordChanged(f"the alerts of strategy {strategy.id} kept changing")


def accept_admin_order(
    strategy: Strategy,
    signal: Signal,
    *,
    follower_ids: Sequence[str],
    received_at: datetime,
    trigger_id: str | None = None,
    also: Callable[[TransactWrite], None] | None = None,
) -> Trigger:
    """Store and queue an admin's trigger for the followers named.

    `trigger_id` may be drawn beforehand; `also(transaction)` adds writes that must happen with this one or not at
    all, such as the record of an idempotency key. Raise RecordChanged when one of those is refused.
    """
    for attempt in range(1, _ATTEMPTS + 1):
        alerts = StrategyAlerts.find(strategy.id)
        trigger = _new_trigger(strategy, signal, source=StrategySource.ADMIN, seq=_next_seq(alerts), at=received_at)
        trigger.id = trigger_id or trigger.id
        trigger.follower_ids = list(dict.fromkeys(follower_ids))
        try:
            _store(trigger, alerts, content=None, also=also)
        except RecordChanged:
            moved = StrategyAlerts.find(strategy.id)
            if _next_seq(moved) == trigger.seq:
                raise
            _wait_a_little(attempt)
            continue
        _queue_first(trigger)
        return trigger
    raise RecordChanged(f"the alerts of strategy {strategy.id} kept changing")


def _next_seq(alerts: StrategyAlerts | None) -> int:
    return 1 if alerts is None else alerts.last_seq + 1


def _repeats(alerts: StrategyAlerts, content: str, received_at: datetime) -> bool:
    if alerts.latest_fingerprint != content or alerts.latest_received_at is None:
        return False
    return received_at - alerts.latest_received_at < REPEAT_WINDOW


def queue_again(trigger_id: str) -> None:
    """Queue a trigger that is asked for again, in case its first request died before it did.

    Queued twice does no harm: the id de-duplicates.
    """
    trigger = Trigger.find(trigger_id)
    if trigger is not None and trigger.fanout_state is FanoutState.PENDING:
        _queue(trigger)


def _answer_repeat(trigger_id: str) -> Acceptance:
    queue_again(trigger_id)
    return Acceptance(trigger_id=trigger_id, repeated=True)


def _new_trigger(strategy: Strategy, signal: Signal, *, source: StrategySource, seq: int, at: datetime) -> Trigger:
    return Trigger(
        id=str(uuid4()),
        strategy_id=strategy.id,
        seq=seq,
        strategy_source=source,
        exchange_id=strategy.exchange_id,
        symbol=strategy.symbol,
        side=signal.side,
        price=signal.order_price,
        stop=signal.stop,
        stop_type=signal.stop_type,
        take_profits=list(signal.take_profits),
        trailing_trigger=signal.trailing.trigger if signal.trailing else None,
        callback_rate=signal.trailing.callback_rate if signal.trailing else None,
        created_at=at,
        updated_at=at,
    )


def _store(
    trigger: Trigger,
    alerts: StrategyAlerts | None,
    *,
    content: str | None,
    also: Callable[[TransactWrite], None] | None,
) -> None:
    """Write the trigger with its seq or nothing; `content` is None for what is no alert to every follower."""
    actions: list[Action] = [
        StrategyAlerts.last_seq.set(trigger.seq),
        StrategyAlerts.schema_version.set(SCHEMA_VERSION),
    ]
    if content is not None:
        actions += [
            StrategyAlerts.latest_alert_seq.set(trigger.seq),
            StrategyAlerts.latest_trigger_id.set(trigger.id),
            StrategyAlerts.latest_fingerprint.set(content),
            StrategyAlerts.latest_received_at.set(trigger.created_at),
        ]
    unmoved: Condition = StrategyAlerts.strategy_id.does_not_exist()
    if alerts is not None:
        unmoved = StrategyAlerts.last_seq == alerts.last_seq

    def write(transaction: TransactWrite) -> None:
        transaction.update(StrategyAlerts(trigger.strategy_id), actions=actions, condition=unmoved)
        transaction.save(trigger, condition=Trigger.id.does_not_exist())
        if also is not None:
            also(transaction)

    transact(write)


def _queue_first(trigger: Trigger) -> None:
    messages.connect()  # two threads at once must not make the client
    # Neither waits for the other: if the trigger cannot be queued, the dead man's question sends it on.
    sends: tuple[Callable[[Trigger], None], ...] = (_ask_later, _queue)
    run_side_by_side(lambda send: send(trigger), sends)


def _queue(trigger: Trigger) -> None:
    send_trigger(TriggerMessage(trigger_id=trigger.id, strategy_id=trigger.strategy_id), dedup_id=trigger.id)


def _ask_later(trigger: Trigger) -> None:
    send_dead_man([FanoutCheck(trigger.id)])


def _wait_a_little(attempt: int) -> None:
    time.sleep(random.uniform(0.002, 0.01) * min(attempt, 5))  # noqa: S311 - jitter, not a secret
