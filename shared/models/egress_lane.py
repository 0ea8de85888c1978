"""Table `egress_lanes`: the exchange's request weight, per address that requests leave from."""

from __future__ import annotations

from datetime import datetime

from pynamodb.attributes import UnicodeAttribute
from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action

from shared.clock import utc_now
from shared.models.attributes import IntegerAttribute, TimeAttribute
from shared.models.base import SCHEMA_VERSION, Table, conditional_write, table_name


class EgressLane(Table):
    """What one lane has used, and whether it must pause. The exchange counts per address, not per worker."""

    class Meta:
        table_name = table_name("egress_lanes")

    lane = UnicodeAttribute(hash_key=True)
    """`lane-1`; the pools of the exchange's other APIs have records of their own (`lane-1#sapi`)."""
    minute = TimeAttribute(null=True)
    """Beginning of the exchange's minute that `used_weight` counts."""
    used_weight = IntegerAttribute(default=0)
    """What entries have reserved in that minute, or what the exchange counted, whichever was more."""
    weight_limit = IntegerAttribute(null=True)
    """What the address has a minute, where it is not the deployment's usual limit."""
    keys = IntegerAttribute(null=True)
    """How many exchange keys leave from here, counted daily; None while nobody has."""
    paused_until = TimeAttribute(null=True)
    """No entry begins before (429)."""
    banned_until = TimeAttribute(null=True)
    """Nothing at all is asked before (418)."""
    updated_at = TimeAttribute(null=True)

    @classmethod
    def note_keys(cls, lane: str, count: int) -> None:
        """Keep how many active keys a lane has; its weight and its pause are not touched."""
        version = cls.schema_version.set(SCHEMA_VERSION)
        cls(lane).update(actions=[cls.keys.set(count), cls.updated_at.set(utc_now()), version])

    @classmethod
    def reserve(cls, lane: str, *, minute: datetime, weight: int, cap: int, seen: int) -> EgressLane | None:
        """Reserve weight in a minute, up to a cap; None when it does not fit. `seen` is what the exchange counted.

        The first write is nearly always the only one: the count goes up, if it is of this minute, at least `seen`, and
        leaves room. Otherwise it begins anew from `seen`. Both are conditional, so whatever others do meanwhile, the
        count never loses a reservation.
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
    def give_back(cls, lane: str, *, minute: datetime, weight: int) -> None:
        """Undo a reservation that was not used, unless its minute is over."""
        cls._write(lane, cls.minute == minute, [cls.used_weight.add(-weight)])

    @classmethod
    def raise_to(cls, lane: str, *, minute: datetime, seen: int) -> EgressLane | None:
        """Raise a minute's count to what the exchange said; None when it stands there already."""
        condition = cls._older(minute) | ((cls.minute == minute) & (cls.used_weight < seen))
        return cls._write(lane, condition, [cls.used_weight.set(seen), cls.minute.set(minute)])

    @classmethod
    def pause(cls, lane: str, *, until: datetime) -> None:
        """Let no entry begin before; an earlier time changes nothing."""
        condition = cls.paused_until.does_not_exist() | (cls.paused_until < until)
        cls._write(lane, condition, [cls.paused_until.set(until)])

    @classmethod
    def ban(cls, lane: str, *, until: datetime) -> None:
        """Let nothing be asked before; an earlier time changes nothing."""
        condition = cls.banned_until.does_not_exist() | (cls.banned_until < until)
        cls._write(lane, condition, [cls.banned_until.set(until)])

    @classmethod
    def _older(cls, minute: datetime) -> Condition:
        older: Condition = cls.minute.does_not_exist() | (cls.minute < minute)
        return older

    @classmethod
    def _write(cls, lane: str, condition: Condition, actions: list[Action]) -> EgressLane | None:
        """Write and return the record as it is then; None when the condition did not hold."""
        record = cls(lane)
        always = [cls.updated_at.set(utc_now()), cls.schema_version.set(SCHEMA_VERSION)]
        with conditional_write() as write:
            record.update(actions=[*actions, *always], condition=condition)
        return record if write.applied else None
