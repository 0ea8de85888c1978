"""Table `trading_switches`: halts of new entries, for everything, one strategy or one lane. Exits are never halted."""

from __future__ import annotations

from pynamodb.attributes import BooleanAttribute, UnicodeAttribute
from pynamodb.expressions.update import Action

from shared.clock import utc_now
from shared.models.attributes import TimeAttribute
from shared.models.base import SCHEMA_VERSION, Table, TableName, conditional_write

EVERYTHING = "ALL"


def lane_scope(lane: str) -> str:
    """Return the scope of one egress lane."""
    return f"lane#{lane}"


class TradingSwitch(Table):
    """A halt, read consistently before each entry; without a record nothing is halted."""

    class Meta:
        table_name = TableName("trading_switches")

    scope = UnicodeAttribute(hash_key=True)
    """`ALL`, `strategy#<id>` or `lane#<name>`."""
    halted = BooleanAttribute(default=False)
    reason = UnicodeAttribute(default="")
    updated_at = TimeAttribute()

    @classmethod
    def scopes(cls, *, strategy_id: str, lane: str) -> tuple[str, ...]:
        """Return the scopes whose halts apply to an entry."""
        return (EVERYTHING, f"strategy#{strategy_id}", lane_scope(lane))

    @classmethod
    def halt(cls, scope: str, *, reason: str) -> None:
        """Halt entries in a scope; an existing halt keeps its reason."""
        actions: list[Action] = [
            cls.halted.set(True),
            cls.reason.set(reason),
            cls.updated_at.set(utc_now()),
            cls.schema_version.set(SCHEMA_VERSION),
        ]
        free = cls.halted.does_not_exist() | (cls.halted == False)  # noqa: E712 - a DynamoDB condition
        with conditional_write():
            cls(scope).update(actions=actions, condition=free)
