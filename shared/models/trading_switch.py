"""Table `trading_switches`: halts of new entries, for everything, one strategy or one lane. Exits are never halted."""

from __future__ import annotations

from datetime import datetime
from itertools import islice

from pynamodb.attributes import BooleanAttribute, UnicodeAttribute
from pynamodb.expressions.update import Action

from shared.clock import utc_now
from shared.models.attributes import TimeAttribute
from shared.models.base import (
    SCHEMA_VERSION,
    GlobalSecondaryIndex,
    KeysOnlyProjection,
    Table,
    TableName,
    conditional_write,
)
from shared.trading.lane_choice import LANES

EVERYTHING = "ALL"

HALTED = "HALTED"
"""Partition of the sparse index of halts that stand."""


def lane_scope(lane: str) -> str:
    """Return the scope of one egress lane."""
    return f"lane#{lane}"


def strategy_scope(strategy_id: str) -> str:
    """Return the scope of one strategy."""
    return f"strategy#{strategy_id}"


class Halts(GlobalSecondaryIndex["TradingSwitch"]):
    """Sparse: the halts that stand, oldest first. Read the record again before relying on it."""

    class Meta:
        index_name = "halts"
        projection = KeysOnlyProjection()

    listed = UnicodeAttribute(hash_key=True)
    halted_at = TimeAttribute(range_key=True)


class TradingSwitch(Table):
    """A halt, read consistently before each entry; without a record nothing is halted."""

    class Meta:
        table_name = TableName("trading_switches")

    scope = UnicodeAttribute(hash_key=True)
    """`ALL`, `strategy#<id>` or `lane#<name>`."""
    halted = BooleanAttribute(default=False)
    reason = UnicodeAttribute(default="")
    halted_at = TimeAttribute(null=True)
    """Since when it is halted; absent while it is not, and on older records."""
    listed = UnicodeAttribute(null=True)
    """HALTED while it is halted."""
    updated_at = TimeAttribute()

    halts = Halts()

    @classmethod
    def scopes(cls, *, strategy_id: str, lane: str) -> tuple[str, ...]:
        """Return the scopes whose halts apply to an entry."""
        return (EVERYTHING, strategy_scope(strategy_id), lane_scope(lane))

    @classmethod
    def halt(cls, scope: str, *, reason: str) -> None:
        """Halt entries in a scope, because of what a worker has seen; an existing halt keeps its reason."""
        free = cls.halted.does_not_exist() | (cls.halted == False)  # noqa: E712 - a DynamoDB condition
        with conditional_write():
            cls(scope).update(actions=cls._halting(reason), condition=free)

    @classmethod
    def halt_by_operator(cls, scope: str, *, reason: str) -> TradingSwitch:
        """Halt entries in a scope, and return the switch; an existing halt gets the reason and keeps its time."""
        switch = cls(scope)
        switch.update(actions=cls._halting(reason))
        return switch

    @classmethod
    def resume(cls, scope: str) -> None:
        """Permit entries in a scope again; nothing changes where they are not halted.

        The record stays, with the time: refusals of keys from before it no longer count.
        """
        actions: list[Action] = [
            cls.halted.set(False),
            cls.reason.set(""),
            cls.updated_at.set(utc_now()),
            cls.schema_version.set(SCHEMA_VERSION),
            cls.halted_at.remove(),
            cls.listed.remove(),
        ]
        with conditional_write():
            cls(scope).update(actions=actions, condition=cls.halted == True)  # noqa: E712 - a DynamoDB condition

    @classmethod
    def standing(cls, *, limit: int) -> list[TradingSwitch]:
        """Return the halts that stand, the oldest first: those of everything and of lanes, and `limit` of strategies.

        The former are read by their keys, because older records are not in the index.
        """
        listed = islice(cls.halts.query(HALTED, page_size=limit + len(LANES) + 1), limit + len(LANES) + 1)
        scopes = [EVERYTHING, *map(lane_scope, LANES), *(found.scope for found in listed)]
        found = cls.find_many(scopes, consistent=True).values()
        return sorted((switch for switch in found if switch.halted), key=lambda switch: switch.since)

    @property
    def since(self) -> datetime:
        """Since when a standing halt is."""
        return self.halted_at or self.updated_at

    @classmethod
    def _halting(cls, reason: str) -> list[Action]:
        now = utc_now()
        return [
            cls.halted.set(True),
            cls.reason.set(reason),
            cls.updated_at.set(now),
            cls.halted_at.set(cls.halted_at | now),
            cls.listed.set(HALTED),
            cls.schema_version.set(SCHEMA_VERSION),
        ]
