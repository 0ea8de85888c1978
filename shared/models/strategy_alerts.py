"""Table `strategy_alerts`: the last sequence number and the latest accepted alert of each strategy."""

from __future__ import annotations

from pynamodb.attributes import UnicodeAttribute

from shared.models.attributes import IntegerAttribute, PlaceAttribute, TimeAttribute
from shared.models.base import Table, TableName
from shared.trading.place import PlaceInTime


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
    latest_trigger_id = UnicodeAttribute(null=True)
    """The alert of the latest place."""
    latest_fingerprint = UnicodeAttribute(null=True)
    latest_received_at = TimeAttribute(null=True)
    latest_exit_place = PlaceAttribute(null=True)
    """Place in time of the exit alert that was accepted last, which need not be the latest alert."""
    latest_exit_trigger_id = UnicodeAttribute(null=True)
    latest_exit_fingerprint = UnicodeAttribute(null=True)
    latest_exit_received_at = TimeAttribute(null=True)

    @property
    def is_exit_of_latest_second(self) -> bool:
        """Return whether no alert of a later second than the last exit's has been accepted."""
        if self.latest_exit_place is None or self.latest_alert_place is None:
            return False
        return self.latest_exit_place.second >= self.latest_alert_place.second

    def supersedes(self, place: PlaceInTime) -> bool:
        """Return whether the latest alert is newer than a trigger of this place."""
        if self.latest_alert_place is None:
            return place.seq < self.latest_alert_seq
        return place < self.latest_alert_place
