"""Table `trading_switches`: "no new entries", for everything, one strategy or one lane. Exits never ask."""

from __future__ import annotations

from pynamodb.attributes import BooleanAttribute, UnicodeAttribute

from shared.models.attributes import TimeAttribute
from shared.models.base import Table, table_name

EVERYTHING = "ALL"


class TradingSwitch(Table):
    """A halt, read consistently before every entry; an absent record halts nothing."""

    class Meta:
        """Where it lies."""

        table_name = table_name("trading_switches")

    scope = UnicodeAttribute(hash_key=True)
    """`ALL`, `strategy#<id>` or `lane#<name>`."""
    halted = BooleanAttribute(default=False)
    reason = UnicodeAttribute(default="")
    updated_at = TimeAttribute()

    @classmethod
    def scopes(cls, *, strategy_id: str, lane: str) -> tuple[str, ...]:
        """Return the scopes that an entry must ask."""
        return (EVERYTHING, f"strategy#{strategy_id}", f"lane#{lane}")
