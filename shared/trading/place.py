"""Place in time: the total order of everything that opens or closes a strategy's positions. Stores nothing.

An alert may come late, or after a newer one. What decides is when it fired, not when it came.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from shared.trading.sides import TriggerAction

_SEQ_DIGITS = 15


def born_at(*, fired_at: datetime | None, received_at: datetime) -> datetime:
    """Return the time from which an alert counts: when it fired, and no later than its receipt."""
    # An alert that is dated in the future must neither stay fresh for longer nor supersede anything.
    return received_at if fired_at is None else min(fired_at, received_at)


@dataclass(frozen=True, slots=True, order=True)
class PlaceInTime:
    """A place in the order: by the second, within it exits before entries, then by `seq`."""

    # The order of the fields is the order of their comparison.
    second: datetime
    """A whole second, because TradingView's `{{timenow}}` has no fraction."""
    opens: bool
    seq: int

    @classmethod
    def of_trigger(
        cls,
        action: TriggerAction,
        *,
        fired_at: datetime | None,
        received_at: datetime,
        seq: int,
        by_admin: bool = False,
    ) -> PlaceInTime:
        """Return the place of a trigger.

        An admin's exit comes after the entries that were accepted before it in its second, as an admin's close does.
        """
        second = _whole_second(born_at(fired_at=fired_at, received_at=received_at))
        return cls(second, opens=by_admin or action is TriggerAction.OPEN, seq=seq)

    @classmethod
    def of_closing(cls, *, received_at: datetime, seq: int, latest: PlaceInTime | None) -> PlaceInTime:
        """Return the place of an admin's close: after all that was accepted before it, up to `seq`, entries included.

        The clock of the container that accepted `latest` may have been ahead of ours.
        """
        second = _whole_second(received_at)
        return cls(second if latest is None else max(second, latest.second), opens=True, seq=seq)

    def to_text(self) -> str:
        """Return a text whose order is the order of the places: `2026-11-06T16:53:59Z#1#000000000000007`."""
        second = self.second.replace(tzinfo=None).isoformat()
        return f"{second}Z#{int(self.opens)}#{self.seq:0{_SEQ_DIGITS}}"

    @classmethod
    def from_text(cls, text: str) -> PlaceInTime:
        """Return the place of a text from `to_text`; raise ValueError."""
        second, opens, seq = text.split("#")
        return cls(datetime.fromisoformat(second), opens=bool(int(opens)), seq=int(seq))


def _whole_second(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(microsecond=0)
