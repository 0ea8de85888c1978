"""Table `strategy_alerts`: the last sequence number and the latest accepted alerts of each strategy."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from pynamodb.attributes import JSONAttribute, UnicodeAttribute

from shared.clock import from_iso, to_iso
from shared.models.attributes import DecimalAttribute, EnumAttribute, IntegerAttribute, PlaceAttribute, TimeAttribute
from shared.models.base import Table, TableName
from shared.trading import exits
from shared.trading.exits import Exit, Target
from shared.trading.place import PlaceInTime
from shared.trading.sides import Side, TriggerAction
from shared.trading.updates import NOTHING, Requested, Update


@dataclass(frozen=True, slots=True, kw_only=True)
class RecentExit:
    """An exit that supersedes no entry: one that it means may still be on its way."""

    place: PlaceInTime
    exit: Exit
    trigger_id: str
    fingerprint: str
    """What a repeat of the alert is known by; "" of an admin's exit, which no alert repeats."""
    received_at: datetime
    for_some: bool = False
    """Whether it is only for the followers that its trigger names."""

    def to_json(self) -> dict[str, str]:
        """Return it as it is stored."""
        asked = self.exit
        return {
            "place": self.place.to_text(),
            "trigger_id": self.trigger_id,
            "fingerprint": self.fingerprint,
            "received_at": to_iso(self.received_at),
            "action": asked.action.value,
            **({"side": asked.side.value} if asked.side is not None else {}),
            **({"keep_share": format(asked.keep_share, "f")} if asked.keep_share is not None else {}),
            **({"position_size": format(asked.position_size, "f")} if asked.position_size is not None else {}),
            **_update_to_json(asked.update),
            **({"for_some": "1"} if self.for_some else {}),
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, str]) -> RecentExit:
        """Return it from what `to_json` has returned."""
        return cls(
            place=PlaceInTime.from_text(stored["place"]),
            exit=Exit(
                TriggerAction(stored["action"]),
                side=Side(stored["side"]) if "side" in stored else None,
                keep_share=_decimal(stored.get("keep_share")),
                position_size=_decimal(stored.get("position_size")),
                update=_update_from_json(stored),
            ),
            trigger_id=stored["trigger_id"],
            fingerprint=stored["fingerprint"],
            received_at=from_iso(stored["received_at"]),
            for_some="for_some" in stored,
        )


def _update_to_json(update: Update | None) -> dict[str, str]:
    if update is None:
        return {}
    return {
        **({"stop": format(update.stop, "f")} if update.stop is not None else {}),
        **({"breakeven": "1"} if update.breakeven else {}),
        **({"take_profits": " ".join(f"{price:f}" for price in update.take_profits)} if update.take_profits else {}),
        **({"breakeven_after": str(update.breakeven_after)} if update.breakeven_after is not None else {}),
    }


def _update_from_json(stored: Mapping[str, str]) -> Update | None:
    if stored["action"] != TriggerAction.UPDATE:
        return None
    after = stored.get("breakeven_after")
    return Update(
        stop=_decimal(stored.get("stop")),
        breakeven="breakeven" in stored,
        take_profits=tuple(Decimal(price) for price in stored.get("take_profits", "").split()),
        breakeven_after=None if after is None else int(after),
    )


def _decimal(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


class StrategyAlerts(Table):
    """A strategy's sequence: each trigger gets the next `seq` in the write that stores it."""

    class Meta:
        table_name = TableName("strategy_alerts")

    strategy_id = UnicodeAttribute(hash_key=True)
    last_seq = IntegerAttribute(default=0)
    """Sequence number of the latest trigger, an admin's included."""
    latest_alert_place = PlaceAttribute(null=True)
    """Place in time of the latest alert, which need not be the last that came: older triggers are superseded."""
    latest_alert_seq = IntegerAttribute(default=0)
    """Its sequence number; records of an earlier version have no place."""
    closed_place = PlaceAttribute(null=True)
    """Place in time of an admin's last close of the whole strategy: triggers up to it open nothing."""
    closed_seq = IntegerAttribute(null=True)
    """The same in records of an earlier version, which compared sequence numbers."""
    last_received_at = TimeAttribute(null=True)
    """When the last alert was accepted, whatever its place; absent on older records."""
    latest_trigger_id = UnicodeAttribute(null=True)
    """The alert of the latest place."""
    latest_fingerprint = UnicodeAttribute(null=True)
    latest_received_at = TimeAttribute(null=True)
    entry_place = PlaceAttribute(null=True)
    """Place in time of the latest entry alert; the strategy has left its position if a later alert is the latest."""
    entry_side = EnumAttribute(Side, null=True)
    entry_size = DecimalAttribute(null=True)
    """The strategy's own position after it, if the alert said so."""
    recent_exits: JSONAttribute = JSONAttribute(null=True)
    """Exits that supersede nothing, while an entry that they mean may be fresh (`RecentExit`)."""
    latest_exit_place = PlaceAttribute(null=True)
    """Place in time of the close that was accepted last, which need not be the latest alert."""
    latest_exit_trigger_id = UnicodeAttribute(null=True)
    latest_exit_fingerprint = UnicodeAttribute(null=True)
    latest_exit_received_at = TimeAttribute(null=True)

    @property
    def is_exit_of_latest_second(self) -> bool:
        """Return whether no alert of a later second than the last exit's has been accepted."""
        if self.latest_exit_place is None or self.latest_alert_place is None:
            return False
        return self.latest_exit_place.second >= self.latest_alert_place.second

    @property
    def exits_of_latest_second(self) -> list[RecentExit]:
        """The exits that supersede nothing, as far as no alert of a later second has been accepted."""
        latest = self.latest_alert_place
        return [
            one
            for one in map(RecentExit.from_json, self.recent_exits or ())
            if latest is None or one.place.second >= latest.second
        ]

    @property
    def last_accepted_at(self) -> datetime | None:
        """When the last alert was accepted; None before the first."""
        known = (self.last_received_at, self.latest_received_at, self.latest_exit_received_at)
        return max((at for at in known if at is not None), default=None)

    def supersedes(self, place: PlaceInTime) -> bool:
        """Return whether the latest alert is newer than a trigger of this place."""
        if self.latest_alert_place is None:
            return place.seq < self.latest_alert_seq
        return place < self.latest_alert_place

    def reduces(self, place: PlaceInTime, *, side: Side, size: Decimal | None, active_since: datetime | None) -> bool:
        """Return whether an alert of this place, which leaves the strategy with this position, has made it smaller.

        An entry counts no more once an admin has closed the strategy's positions, or has activated the strategy again:
        the alert that left the position may have been refused in between.
        """
        if self.entry_place is None or self.entry_place != self.latest_alert_place or place < self.entry_place:
            return False
        if self.closed_place is not None and self.entry_place <= self.closed_place:
            return False
        if active_since is not None and self.entry_place.second < active_since:
            return False
        return exits.is_reduction(size, side=side, size_at_entry=self.entry_size, side_at_entry=self.entry_side)

    def exits_since(self, oldest: datetime) -> list[RecentExit]:
        """Return the exits that supersede nothing, and whose second is not before `oldest`."""
        stored = [RecentExit.from_json(one) for one in self.recent_exits or ()]
        return [one for one in stored if one.place.second >= oldest]

    def exits_of(self, place: PlaceInTime, *, side: Side) -> list[RecentExit]:
        """Return the exits that were accepted before an entry's position was opened, and mean it."""
        recent = map(RecentExit.from_json, self.recent_exits or ())
        return [one for one in recent if exits.means(one.place, place, side=one.exit.side, held=side)]

    def target_of(
        self, place: PlaceInTime, *, side: Side, size_at_entry: Decimal | None, without: Collection[str] = ()
    ) -> Target:
        """Return what those exits ask of it, `without` those of some triggers."""
        target = exits.UNCHANGED
        for recent in self.exits_of(place, side=side):
            if recent.trigger_id not in without:
                target = target.merge(exits.target_of(recent.exit, size_at_entry=size_at_entry))
        return target

    def requested_of(self, place: PlaceInTime, *, side: Side, without: Collection[str] = ()) -> Requested:
        """Return what the updates among them ask of it, `without` those of some triggers."""
        requested = NOTHING
        for recent in self.exits_of(place, side=side):
            if recent.exit.update is not None and recent.trigger_id not in without:
                requested = requested.merge(Requested.of(recent.exit.update, recent.place), side=side)
        return requested
