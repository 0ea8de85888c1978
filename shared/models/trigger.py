"""Table `triggers`: accepted alerts and admin orders, stored before the response. Holds no follower's outcome."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from itertools import islice

from pynamodb.attributes import BooleanAttribute, UnicodeAttribute

from shared.clock import utc_now
from shared.models.attributes import (
    DecimalAttribute,
    EnumAttribute,
    IntegerAttribute,
    TimeAttribute,
    decimal_list,
    text_list,
)
from shared.models.base import GlobalSecondaryIndex, KeysOnlyProjection, Table, TableName, in_chunks
from shared.models.exit_fields import exit_of
from shared.models.trigger_count import TriggerCount
from shared.trading.exits import Exit
from shared.trading.place import PlaceInTime
from shared.trading.sides import Side, StopType, StrategySource, TriggerAction
from shared.trading.signal import Signal, trailing_of
from shared.trading.target_weights import weigh_targets

PENDING = "PENDING"
"""Partition of the sparse index of triggers whose fan-out is not done."""

_READ_PER_ENTRY = 3
"""Triggers read at once for each entry that is wanted: most strategies have two exits for each entry at most."""
_MOST_READ = 1000
"""Triggers read in search of entries, at the cost of ten requests for 100 records each."""


def day_of(moment: datetime) -> str:
    """Return the UTC day of a moment, `2022-09-13`."""
    return f"{moment.astimezone(UTC):%Y-%m-%d}"


class FanoutState(StrEnum):
    """The progress of a trigger's fan-out."""

    PENDING = "PENDING"
    DONE = "DONE"


class TriggersByStrategy(GlobalSecondaryIndex["Trigger"]):
    """A strategy's triggers in the order of their acceptance."""

    class Meta:
        index_name = "by_strategy"
        projection = KeysOnlyProjection()

    strategy_id = UnicodeAttribute(hash_key=True)
    seq = IntegerAttribute(range_key=True)


class PendingTriggers(GlobalSecondaryIndex["Trigger"]):
    """Sparse: triggers whose fan-out is not done, oldest first, so that the watcher finds one that was not queued."""

    class Meta:
        index_name = "pending"
        projection = KeysOnlyProjection()

    pending = UnicodeAttribute(hash_key=True)
    created_at = TimeAttribute(range_key=True)


class TriggersByDay(GlobalSecondaryIndex["Trigger"]):
    """The triggers of all strategies, by the UTC day and the time of their acceptance."""

    class Meta:
        index_name = "by_day"
        projection = KeysOnlyProjection()

    accepted_on = UnicodeAttribute(hash_key=True)
    created_at = TimeAttribute(range_key=True)


class Trigger(Table):
    """One instruction for a strategy's followers; `seq` is the order of acceptance, `place` the order in time."""

    class Meta:
        table_name = TableName("triggers")

    id = UnicodeAttribute(hash_key=True)
    strategy_id = UnicodeAttribute()
    seq = IntegerAttribute()
    strategy_source = EnumAttribute(StrategySource)
    exchange_id = UnicodeAttribute()
    symbol = UnicodeAttribute()
    action = EnumAttribute(TriggerAction, default=TriggerAction.OPEN)
    # The signal of one that opens; an exit has none of it, but for the stop and take-profits of an update.
    side = EnumAttribute(Side, null=True)
    price = DecimalAttribute(null=True)
    """The alert's `orderPrice`; the market's price when an admin's trigger was accepted."""
    stop = DecimalAttribute(null=True)
    stop_type = EnumAttribute(StopType, null=True)
    stop_at_breakeven = BooleanAttribute(null=True)
    """Of an update: whether the stop is to be at break-even."""
    take_profits = decimal_list(default=list)
    trailing_trigger = DecimalAttribute(null=True)
    callback_rate = DecimalAttribute(null=True)
    position_size = DecimalAttribute(null=True)
    """The strategy's own position after the alert, if it said so; in the strategy's own unit."""
    position_side = EnumAttribute(Side, null=True)
    """Of an exit: the side of the positions that it means; None means either."""
    keep_share = DecimalAttribute(null=True)
    """Of a reduction: the share of the entry's amount that is to remain."""
    # Copies of the strategy's rules at the acceptance, or the alert's own; see `Strategy`.
    breakeven_after = IntegerAttribute(null=True)
    take_profit_weights = decimal_list(null=True)
    max_chase = DecimalAttribute(null=True)
    win_rate = UnicodeAttribute(null=True)
    follower_ids = text_list(null=True)
    """The followers that an admin chose; None means every follower of the strategy."""
    fired_at = TimeAttribute(null=True)
    """When the alert fired, by TradingView's clock."""
    alert_id = UnicodeAttribute(null=True)
    """The alert's own id, which tells it from another alert with the same content."""
    overtaken = BooleanAttribute(default=False)
    """True of an entry if a newer alert had been accepted before: it opens nothing and closes nothing."""
    active = BooleanAttribute(default=True)
    """True until the fan-out is done and no execution is active."""
    fanout_state = EnumAttribute(FanoutState, default=FanoutState.PENDING)
    fanout_checkpoint = UnicodeAttribute(null=True)
    """`created_key` of the last follower that has its execution."""
    fanout_start = UnicodeAttribute(null=True)
    """`created_key` of the follower that the fan-out began with; None is the oldest. It goes around from there."""
    next_start = UnicodeAttribute(null=True)
    """The same of the strategy's next alert."""
    reached = IntegerAttribute(null=True)
    """How many followers the alert reached; None until that is known."""
    left_out = IntegerAttribute(null=True)
    """How many it did not reach while it was fresh, because their lanes had no weight."""
    # Not `default`, which would be read into every record whose fan-out is done.
    pending = UnicodeAttribute(null=True, default_for_new=PENDING)
    accepted_on = UnicodeAttribute(null=True)
    """The UTC day of `created_at`, `2022-09-13`; absent on older records."""
    created_at = TimeAttribute()
    updated_at = TimeAttribute()

    by_strategy = TriggersByStrategy()
    by_pending = PendingTriggers()
    by_day = TriggersByDay()

    @property
    def keep_pct(self) -> Decimal | None:
        """The percent of the entry's amount that a reduction asks to keep; None if it does not say so itself."""
        return None if self.keep_share is None else self.keep_share * 100

    @classmethod
    def latest(cls, count: int, *, now: datetime) -> list[Trigger]:
        """Return the latest triggers of all strategies, of today and yesterday (UTC), the latest first."""
        found: list[str] = []
        for day in (now, now - timedelta(days=1)):
            if len(found) < count:
                keys = cls.by_day.query(day_of(day), scan_index_forward=False, limit=count - len(found))
                found += [key.id for key in keys]
        return list(cls.find_many(found).values())

    @classmethod
    def latest_signals(cls, strategy_id: str, count: int) -> list[Signal]:
        """Return the signals of a strategy's latest triggers that open, the latest first, as its index lists them."""
        return [trigger.signal() for trigger in cls.latest_entries(strategy_id, count)]

    @classmethod
    def latest_entries(cls, strategy_id: str, count: int) -> list[Trigger]:
        """Return a strategy's latest triggers that open, the latest first, as its index lists them.

        They are sought among its latest 1,000 triggers: one position may get many updates and reductions.
        """
        read = _READ_PER_ENTRY * count
        keys = islice(cls.by_strategy.query(strategy_id, scan_index_forward=False, page_size=read), _MOST_READ)
        entries: list[Trigger] = []
        for chunk in in_chunks(keys, read):
            entries += [trigger for trigger in cls.find_many(key.id for key in chunk).values() if trigger.opens]
            if len(entries) >= count:
                break
        return entries[:count]

    @property
    def place(self) -> PlaceInTime:
        """The trigger's place in time."""
        return PlaceInTime.of_trigger(
            self.action,
            fired_at=self.fired_at,
            received_at=self.created_at,
            seq=self.seq,
            by_admin=self.strategy_source is StrategySource.ADMIN,
        )

    @property
    def opens(self) -> bool:
        """Whether it opens positions; otherwise it is an exit, and has no signal."""
        return self.action is TriggerAction.OPEN

    @property
    def exit(self) -> Exit:
        """What an exit asks for."""
        return exit_of(self)

    def signal(self) -> Signal:
        """Return the signal of a trigger that opens, for the trading core."""
        return Signal(
            side=self.side,
            order_price=self.price,
            stop=self.stop,
            stop_type=self.stop_type,
            take_profits=tuple(self.take_profits),
            trailing=trailing_of(self.trailing_trigger, self.callback_rate),
            position_size=self.position_size,
            weights=weigh_targets(self.take_profits, side=self.side, weights=self.take_profit_weights),
            breakeven_after=self.breakeven_after,
        )


def end_trigger_if_finished(trigger_id: str) -> bool:
    """End the trigger if its fan-out is done and none of its executions is active; return whether it has ended.

    It is called after the fan-out and after the end of each execution. The last caller finds nothing active, because
    the counts only fall once the fan-out is done.
    """
    trigger = Trigger.find(trigger_id)
    if trigger is None or trigger.fanout_state is not FanoutState.DONE:
        return False
    if trigger.active:
        if TriggerCount.total_active(trigger_id) > 0:
            return False
        trigger.update(actions=[Trigger.active.set(False), Trigger.updated_at.set(utc_now())])
    return True
