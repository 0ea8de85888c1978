"""Recognises repeats of an alert: which deliveries are one alert, and which of them came first. Stores no trigger."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from pynamodb.transactions import TransactWrite

from shared.clock import to_iso
from shared.errors import LockstepError
from shared.models.idempotency_key import IdempotencyKey
from shared.models.strategy_alerts import StrategyAlerts
from shared.models.trigger import Trigger

REPEAT_WINDOW = timedelta(seconds=30)
"""An alert with the same content as the latest, received within this time, is a repeat of it."""

EXIT_REPEAT_WINDOW = timedelta(seconds=17)
"""The same for a reduction, and for a close beside an entry of its second: the next of the same content may be meant.

TradingView sends an alert again up to three times, five seconds apart; the rest is for its answers.
"""


class AlertIdTaken(LockstepError):
    """The alert's id was used with another content within the last 24 hours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstDelivery:
    """The trigger of an alert's first delivery, and the keys of the alert that do not lead to it yet."""

    trigger_id: str | None
    """None if this delivery is the first."""
    unclaimed: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertIdentity:
    """All that tells an alert from another one.

    Two alerts with different ids, or that fired at different times, are two, whatever their content.
    """

    strategy_id: str
    content: str
    """The fingerprint of the signal."""
    fired_at: datetime | None
    alert_id: str | None

    def find_first(self, alerts: StrategyAlerts | None, *, received_at: datetime) -> FirstDelivery:
        """Return what is known of an earlier delivery of this alert; raise AlertIdTaken.

        Three rules, the strictest first: the same alert id for 24 hours; the same content and firing time for 24 hours;
        the same content as the strategy's latest alert within REPEAT_WINDOW, or as its latest close of the same second
        or a reduction since within EXIT_REPEAT_WINDOW.
        """
        id_key, time_key = self._id_key, self._time_key
        by_id = None if id_key is None else IdempotencyKey.find_valid(id_key, at=received_at)
        if by_id is not None and by_id.fingerprint != self.content:
            raise AlertIdTaken(f"alert id of trigger {by_id.response}")
        if by_id is not None:
            return FirstDelivery(trigger_id=by_id.response, unclaimed=())
        by_time = None if time_key is None else IdempotencyKey.find_valid(time_key, at=received_at)
        unclaimed = tuple(
            key for key, known in ((id_key, by_id), (time_key, by_time)) if key is not None and known is None
        )
        if by_time is not None and self._may_be(Trigger.find(by_time.response)):
            return FirstDelivery(trigger_id=by_time.response, unclaimed=unclaimed)
        by_content = None if alerts is None else self._find_by_content(alerts, received_at=received_at)
        return FirstDelivery(trigger_id=by_content, unclaimed=unclaimed)

    def claim(self, first: FirstDelivery, *, trigger_id: str, at: datetime) -> Callable[[TransactWrite], None] | None:
        """Return the write that has later deliveries answered with the trigger, or None if there is none to make.

        It fails if another delivery has made it meanwhile.
        """
        writes = [
            IdempotencyKey.claim(key, content=self.content, response=trigger_id, at=at) for key in first.unclaimed
        ]

        def write(transaction: TransactWrite) -> None:
            for one in writes:
                one(transaction)

        return write if writes else None

    @property
    def _id_key(self) -> str | None:
        return None if self.alert_id is None else f"alert#{self.strategy_id}#{self.alert_id}"

    @property
    def _time_key(self) -> str | None:
        if self.fired_at is None:
            return None
        return f"fired#{self.strategy_id}#{to_iso(self.fired_at)}#{self.content}"

    def _find_by_content(self, alerts: StrategyAlerts, *, received_at: datetime) -> str | None:
        newest = alerts.latest_trigger_id, alerts.latest_fingerprint, alerts.latest_received_at
        if (first := self._repeated(*newest, received_at=received_at, within=REPEAT_WINDOW)) is not None:
            return first
        for recent in alerts.exits_of_latest_second:
            known = recent.trigger_id, recent.fingerprint, recent.received_at
            first = self._repeated(*known, received_at=received_at, within=EXIT_REPEAT_WINDOW)
            if first is not None:
                return first
        if not alerts.is_exit_of_latest_second:
            return None
        latest_exit = alerts.latest_exit_trigger_id, alerts.latest_exit_fingerprint, alerts.latest_exit_received_at
        return self._repeated(*latest_exit, received_at=received_at, within=EXIT_REPEAT_WINDOW)

    def _repeated(
        self,
        trigger_id: str | None,
        content: str | None,
        accepted_at: datetime | None,
        *,
        received_at: datetime,
        within: timedelta,
    ) -> str | None:
        """Return the trigger's id if this alert, received then, repeats it."""
        if trigger_id is None or accepted_at is None or content != self.content:
            return None
        recent = received_at - accepted_at < within
        return trigger_id if recent and self._may_be(Trigger.find(trigger_id)) else None

    def _may_be(self, trigger: Trigger | None) -> bool:
        """Return whether neither id nor firing time tells this alert from the trigger's, whose content is the same."""
        if trigger is None:
            return True
        other_id = None not in (self.alert_id, trigger.alert_id) and self.alert_id != trigger.alert_id
        if other_id or self.fired_at is None or trigger.fired_at is None:
            return not other_id
        return to_iso(self.fired_at) == to_iso(trigger.fired_at)
