"""Table `strategy_alerts`: the last sequence number and the latest accepted alert of each strategy."""

from __future__ import annotations

from pynamodb.attributes import UnicodeAttribute

from shared.models.attributes import IntegerAttribute, TimeAttribute
from shared.models.base import Table, TableName


class StrategyAlerts(Table):
    """A strategy's sequence: each trigger gets the next `seq` in the write that stores it."""

    class Meta:
        table_name = TableName("strategy_alerts")

    strategy_id = UnicodeAttribute(hash_key=True)
    last_seq = IntegerAttribute(default=0)
    """Sequence number of the latest trigger, an admin's included."""
    latest_alert_seq = IntegerAttribute(default=0)
    """Sequence number of the latest trigger that went to every follower: older ones are superseded."""
    closed_seq = IntegerAttribute(null=True)
    """`last_seq` when an admin last closed the whole strategy: triggers up to it open nothing."""
    latest_trigger_id = UnicodeAttribute(null=True)
    latest_fingerprint = UnicodeAttribute(null=True)
    latest_received_at = TimeAttribute(null=True)
