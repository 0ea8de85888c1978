"""Table `egress_lanes`: the exchange's request weight, per address that requests leave from."""

from __future__ import annotations

from datetime import datetime

from pynamodb.attributes import UnicodeAttribute
from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action

from shared.clock import utc_now
from shared.models.attributes import IntegerAttribute, TimeAttribute
from shared.models.base import SCHEMA_VERSION, Table, TableName, conditional_write


class EgressLane(Table):
    """One lane's used weight, pause and ban. The exchange counts per address, not per worker."""

    class Meta:
        table_name = TableName("egress_lanes")

    lane = UnicodeAttribute(hash_key=True)
    """`lane-1`; the weight pools of the exchange's other APIs have their own records (`lane-1#sapi`)."""
    minute = TimeAttribute(null=True)
    """Start of the exchange's minute that `used_weight` belongs to."""
    used_weight = IntegerAttribute(default=0)
    """The weight that entries reserved in that minute, or that the exchange counted, whichever is more."""
    weight_limit = IntegerAttribute(null=True)
    """The address's weight per minute, if it differs from the deployment's setting."""
    keys = IntegerAttribute(null=True)
    """Number of exchange keys bound to the lane, counted daily; None before the first count."""
    paused_until = TimeAttribute(null=True)
    """Entries are paused until then (429)."""
    banned_until = TimeAttribute(null=True)
    """All requests are banned until then (418)."""
    updated_at = TimeAttribute(null=True)

    @classmethod
    def save_key_count(cls, lane: str, count: int) -> None:
        """Save a lane's number of active keys; its weight and its pause stay as they are."""
        version = cls.schema_version.set(SCHEMA_VERSION)
        cls(lane).update(actions=[cls.keys.set(count), cls.updated_at.set(utc_now()), version])

    @classmethod
    def reserve(cls, lane: str, *, minute: datetime, weight: int, cap: int, seen: int) -> EgressLane | None:
        """Reserve weight in a minute, up to a cap; None when it does not fit. `seen` is what the exchange counted.

        The first write nearly always succeeds: it raises the count if that is of this minute, at least `seen`, and
        leaves room. Otherwise the count starts again from `seen`. Both writes are conditional, so no reservation of
        another worker is ever lost.
        """
        if seen + weight > cap:
            return None
        count_up: tuple[Condition, Action] = (
            (cls.minute == minute) & cls.used_weight.between(seen, cap - weight),
            cls.used_weight.add(weight),
        )
        begin: tuple[Condition, Action] = (
            cls._older(minute) | ((cls.minute == minute) & (cls.used_weight < seen)),
            cls.used_weight.set(seen + weight),
        )
        for condition, count in (count_up, begin, count_up):
            record = cls._write(lane, condition, [count, cls.minute.set(minute)])
            if record is not None:
                return record
        return None

    @classmethod
    def release(cls, lane: str, *, minute: datetime, weight: int) -> None:
        """Undo an unused reservation, unless its minute is over."""
        cls._write(lane, cls.minute == minute, [cls.used_weight.add(-weight)])

    @classmethod
    def raise_to(cls, lane: str, *, minute: datetime, seen: int) -> EgressLane | None:
        """Raise a minute's count to the exchange's; return None if it is that high already."""
        condition = cls._older(minute) | ((cls.minute == minute) & (cls.used_weight < seen))
        return cls._write(lane, condition, [cls.used_weight.set(seen), cls.minute.set(minute)])

    @classmethod
    def pause(cls, lane: str, *, until: datetime) -> None:
        """Extend the pause of entries until `until`; an earlier time changes nothing."""
        condition = cls.paused_until.does_not_exist() | (cls.paused_until < until)
        cls._write(lane, condition, [cls.paused_until.set(until)])

    @classmethod
    def ban(cls, lane: str, *, until: datetime) -> None:
        """Extend the ban until `until`; an earlier time changes nothing."""
        condition = cls.banned_until.does_not_exist() | (cls.banned_until < until)
        cls._write(lane, condition, [cls.banned_until.set(until)])

    @classmethod
    def _older(cls, minute: datetime) -> Condition:
        older: Condition = cls.minute.does_not_exist() | (cls.minute < minute)
        return older

    @classmethod
    def _write(cls, lane: str, condition: Condition, actions: list[Action]) -> EgressLane | None:
        record = cls(lane)
        always = [cls.updated_at.set(utc_now()), cls.schema_version.set(SCHEMA_VERSION)]
        with conditional_write() as write:
            record.update(actions=[*actions, *always], condition=condition)
        return record if write.applied else None
