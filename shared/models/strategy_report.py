"""Table `strategy_reports`: how far each strategy's report has come, and whether its report key is refused."""

from __future__ import annotations

from datetime import datetime

from pynamodb.attributes import UnicodeAttribute
from pynamodb.expressions.update import Action

from shared.clock import utc_now
from shared.models.attributes import IntegerAttribute, TimeAttribute
from shared.models.base import SCHEMA_VERSION, Table, TableName


class StrategyReport(Table):
    """The progress of one strategy's report."""

    class Meta:
        table_name = TableName("strategy_reports")

    strategy_id = UnicodeAttribute(hash_key=True)
    leader_next_day = UnicodeAttribute(null=True)
    """The first UTC day, `2022-09-13`, that the leader's account was not reported for; None before the first one."""
    followers_next_day = UnicodeAttribute(null=True)
    """The same for the followers."""
    first_seq = IntegerAttribute(default=0)
    """Every trigger before this one had ended, with all of its executions, before the followers' next day."""
    refused_since = TimeAttribute(null=True)
    """Since when the exchange has refused the report key; None while it accepts it."""
    updated_at = TimeAttribute(null=True)

    @classmethod
    def of(cls, strategy_id: str) -> StrategyReport:
        """Return a strategy's record; a new one, not stored, before the first report."""
        return cls.find(strategy_id) or cls(strategy_id)

    def advance_leader(self, next_day: str) -> None:
        """Record that the leader's account is reported for every day before this one, with a key that works."""
        self._change(StrategyReport.leader_next_day.set(next_day), StrategyReport.refused_since.remove())

    def advance_followers(self, next_day: str, *, first_seq: int) -> None:
        """Record that the followers are reported for every day before this one."""
        self._change(StrategyReport.followers_next_day.set(next_day), StrategyReport.first_seq.set(first_seq))

    def record_refusal(self, at: datetime) -> datetime:
        """Record that the exchange refuses the report key, and return since when."""
        self._change(StrategyReport.refused_since.set(StrategyReport.refused_since | at))
        return self.refused_since or at

    def _change(self, *actions: Action) -> None:
        written = [StrategyReport.updated_at.set(utc_now()), StrategyReport.schema_version.set(SCHEMA_VERSION)]
        self.update(actions=[*actions, *written])
