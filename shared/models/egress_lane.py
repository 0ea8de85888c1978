"""Table `egress_lanes`: the exchange's request weight, per address that requests leave from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from pynamodb.attributes import UnicodeAttribute
from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action

from shared.clock import utc_now
from shared.models.attributes import IntegerAttribute, TimeAttribute
from shared.models.base import SCHEMA_VERSION, Table, TableName, conditional_write
from shared.trading.lane_choice import FIRST_LANE, LANES


@dataclass(frozen=True, slots=True)
class Minute:
    """One of the exchange's windows for weight."""

    start: datetime
    length: timedelta

    @property
    def before(self) -> datetime:
        """The start of the window before."""
        return self.start - self.length

    @property
    def after(self) -> datetime:
        """The start of the next window."""
        return self.start + self.length


class EgressLane(Table):
    """One lane's used and held weight, pause and ban. The exchange counts per address, not per worker."""

    class Meta:
        table_name = TableName("egress_lanes")

    lane = UnicodeAttribute(hash_key=True)
    """`lane-1`; the weight pools of the exchange's other APIs have their own records (`lane-1#sapi`)."""
    minute = TimeAttribute(null=True)
    """Start of the exchange's minute that `used_weight` and `held_weight` belong to."""
    used_weight = IntegerAttribute(default=0)
    """The weight that the exchange has counted in that minute, as far as a container has published it."""
    held_weight = IntegerAttribute(default=0)
    """What work that was admitted in that minute may still use."""
    held_before = IntegerAttribute(default=0)
    """What work that was admitted in the minute before may still use. A crashed worker's hold ends with that."""
    orders_queue_url = UnicodeAttribute(null=True)
    """Where its orders queue. Without one it has no executor; the first lane's is the deployment's own."""
    address = UnicodeAttribute(null=True)
    """The address that its requests leave from, to which users bind their keys.

    A deployment stores it where the address is its own; for a network of theirs, operators do.
    """
    weight_limit = IntegerAttribute(null=True)
    """The address's weight per minute, if it differs from the deployment's setting."""
    keys = IntegerAttribute(null=True)
    """Number of exchange keys that name the lane, counted daily; None before the first count."""
    paused_until = TimeAttribute(null=True)
    """Entries are paused until then (429)."""
    banned_until = TimeAttribute(null=True)
    """All requests are banned until then (418)."""
    updated_at = TimeAttribute(null=True)

    @classmethod
    def addresses(cls) -> dict[str, str]:
        """Return the address of each lane that keys may be bound to, the first lane's first; unknown ones are left out.

        A further lane is in use while it has a queue.
        """
        found = cls.find_many(LANES)
        return {
            lane: record.address
            for lane, record in found.items()
            if record.address is not None and (lane == FIRST_LANE or record.orders_queue_url is not None)
        }

    @classmethod
    def find_used(cls, lane: str) -> EgressLane | None:
        """Return the record of a lane in use; of the first lane a new one before its first request. None for others."""
        return cls.find(lane) or (cls(lane) if lane == FIRST_LANE else None)

    @classmethod
    def configure(cls, lane: str, changes: Mapping[str, object]) -> EgressLane:
        """Set attributes, or remove those that are None, as an operator wishes; return the record."""
        record = cls(lane)
        actions = [
            getattr(cls, name).remove() if value is None else getattr(cls, name).set(value)
            for name, value in changes.items()
        ]
        always = [cls.updated_at.set(utc_now()), cls.schema_version.set(SCHEMA_VERSION)]
        record.update(actions=[*actions, *always])
        return record

    @classmethod
    def save_key_count(cls, lane: str, count: int) -> None:
        """Save a lane's number of active keys; its weight and its pause stay as they are."""
        version = cls.schema_version.set(SCHEMA_VERSION)
        cls(lane).update(actions=[cls.keys.set(count), cls.updated_at.set(utc_now()), version])

    @classmethod
    def hold(cls, lane: str, *, minute: Minute, weight: int, cap: int, seen: int) -> EgressLane | None:
        """Hold weight for work that begins now, while used and held weight together stay within a cap; else None.

        `seen` is what the exchange has counted by the caller's latest answer. The condition is on what is held and not
        on a version, so that a hundred containers can add to it without retries. Should another container have
        published a higher count, the hold is given back.
        """
        room = cap - seen - weight
        if room < 0:
            return None
        count_up: tuple[Condition, list[Action]] = (
            (cls.minute == minute.start) & (cls.held_weight.does_not_exist() | (cls.held_weight <= room)),
            [cls.held_weight.add(weight)],
        )
        begin: tuple[Condition, list[Action]] = (
            (cls.minute == minute.before) & (cls.held_weight.does_not_exist() | (cls.held_weight <= room)),
            [*cls._begin(minute, seen=seen), cls.held_before.set(cls.held_weight | 0), cls.held_weight.set(weight)],
        )
        begin_anew: tuple[Condition, list[Action]] = (
            cls.minute.does_not_exist() | (cls.minute < minute.before),
            [*cls._begin(minute, seen=seen), cls.held_before.set(0), cls.held_weight.set(weight)],
        )
        for condition, actions in (count_up, begin, begin_anew, count_up):
            record = cls._write(lane, condition, actions)
            if record is None:
                continue
            if max(record.used_weight, seen) + record.held_weight + record.held_before <= cap:
                return record
            cls.release(lane, minute=minute, weight=weight, present=minute, seen=seen)
            return None
        return None

    @classmethod
    def release(cls, lane: str, *, minute: Minute, weight: int, present: Minute, seen: int) -> EgressLane | None:
        """Give back what was held since a minute. `seen` is what the exchange has counted in the present one.

        The count is published together with the release: what was used is never taken for free weight.
        """
        ways: list[tuple[Condition, list[Action]]] = []
        for start, give_back in (
            (minute.start, cls.held_weight.add(-weight)),
            (minute.after, cls.held_before.add(-weight)),
        ):
            if start == present.start:
                ways.append(((cls.minute == start) & (cls.used_weight < seen), [give_back, cls.used_weight.set(seen)]))
            ways.append((cls.minute == start, [give_back]))
        for condition, actions in ways:
            record = cls._write(lane, condition, actions)
            if record is not None:
                return record
        return None

    @classmethod
    def raise_to(cls, lane: str, *, minute: Minute, seen: int) -> EgressLane | None:
        """Raise a minute's count to the exchange's; return None if it is that high already."""
        ways: tuple[tuple[Condition, list[Action]], ...] = (
            ((cls.minute == minute.start) & (cls.used_weight < seen), [cls.used_weight.set(seen)]),
            (
                cls.minute == minute.before,
                [*cls._begin(minute, seen=seen), cls.held_before.set(cls.held_weight | 0), cls.held_weight.set(0)],
            ),
            (
                cls.minute.does_not_exist() | (cls.minute < minute.before),
                [*cls._begin(minute, seen=seen), cls.held_before.set(0), cls.held_weight.set(0)],
            ),
        )
        for condition, actions in ways:
            record = cls._write(lane, condition, actions)
            if record is not None:
                return record
        return None

    @classmethod
    def _begin(cls, minute: Minute, *, seen: int) -> list[Action]:
        return [cls.minute.set(minute.start), cls.used_weight.set(seen)]

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
    def _write(cls, lane: str, condition: Condition, actions: list[Action]) -> EgressLane | None:
        record = cls(lane)
        always = [cls.updated_at.set(utc_now()), cls.schema_version.set(SCHEMA_VERSION)]
        with conditional_write() as write:
            record.update(actions=[*actions, *always], condition=condition)
        return record if write.applied else None
