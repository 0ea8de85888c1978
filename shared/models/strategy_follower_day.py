"""Table `strategy_follower_days`: what a strategy's followers earned and how they were reached, one record per day."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from decimal import Decimal

from pynamodb.attributes import JSONAttribute, UnicodeAttribute

from shared.models.attributes import DecimalAttribute, IntegerAttribute, TimeAttribute
from shared.models.base import Table, TableName
from shared.trading.distribution import Distribution

_AFTER_ALL = "~"
_BEFORE_ALL = "0"


class StrategyFollowerDay(Table):
    """One UTC day of a strategy's followers. Nothing in it names a follower."""

    class Meta:
        table_name = TableName("strategy_follower_days")

    strategy_id = UnicodeAttribute(hash_key=True)
    date = UnicodeAttribute(range_key=True)
    """`2022-09-13`, UTC."""
    alerts = IntegerAttribute(default=0)
    """Triggers that were received on the day, exits and an admin's orders included."""
    asked = IntegerAttribute(default=0)
    """The executions of those that open, without followers who were in position already."""
    reached = IntegerAttribute(default=0)
    """Those of them that were filled."""
    slippage_pct: JSONAttribute = JSONAttribute(null=True)
    """The spread of their slippage: how much worse than the trigger's price they were filled, in percent of it."""
    followers = IntegerAttribute(default=0)
    """Followers with a position that was closed on the day."""
    profit = DecimalAttribute(default=lambda: Decimal(0))
    """Of all of them, after fees, funding included (USDT)."""
    return_pct: JSONAttribute = JSONAttribute(null=True)
    """The spread of their profits on the day, in percent of the equity that their entries were sized by."""
    updated_at = TimeAttribute()

    @property
    def slippage(self) -> Distribution | None:
        """The spread of the slippage, in percent."""
        return _read(self.slippage_pct)

    @property
    def returns(self) -> Distribution | None:
        """The spread of the followers' returns, in percent."""
        return _read(self.return_pct)

    @classmethod
    def since(
        cls, strategy_id: str, first_day: str | None, *, last_day: str | None = None
    ) -> Iterator[StrategyFollowerDay]:
        """Yield a strategy's days from `first_day` to `last_day`, oldest first; None means no limit."""
        condition = cls.date.between(first_day or _BEFORE_ALL, last_day or _AFTER_ALL)
        yield from cls.query(strategy_id, condition)


def stored(distribution: Distribution | None) -> dict[str, str | int] | None:
    """Return a distribution as an attribute holds it: numbers as texts, exact."""
    if distribution is None:
        return None
    fields = asdict(distribution)
    return {name: value if isinstance(value, int) else format(value, "f") for name, value in fields.items()}


def _read(stored_fields: dict[str, str | int] | None) -> Distribution | None:
    if stored_fields is None:
        return None
    values = {name: Decimal(value) for name, value in stored_fields.items() if name != "count"}
    return Distribution(count=int(stored_fields["count"]), **values)
