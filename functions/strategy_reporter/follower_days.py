"""Makes a day of a strategy's followers from the executions of its triggers. Places nothing, asks no exchange."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Final

from shared.clock import utc_now
from shared.models.base import in_chunks
from shared.models.execution import Execution, trigger_partitions
from shared.models.strategy_follower_day import StrategyFollowerDay, stored
from shared.models.trigger import Trigger
from shared.trading.arithmetic import exact
from shared.trading.distribution import distribution_of
from shared.trading.execution import DenialReason
from shared.trading.sides import Side

_CHUNK = 500
_PCT_STEP: Final = Decimal("1e-8")
_ZERO = Decimal(0)


@dataclass(slots=True)
class _Counts:
    """What the executions of a strategy show of one day."""

    alerts: int = 0
    asked: int = 0
    reached: int = 0
    slippages: list[Decimal] = field(default_factory=list)
    profit: Decimal = _ZERO
    returns: dict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal))


def report_followers(strategy_id: str, day: date, *, first_seq: int) -> int:
    """Store a day of the strategy's followers, and return the `first_seq` of the next day; repeatable.

    Only triggers from `first_seq` on have executions that were received, open or closed on that day.
    """
    begin = datetime.combine(day, time(), tzinfo=UTC)
    end = begin + timedelta(days=1)
    counts, unended, next_seq = _Counts(), None, first_seq
    with exact():
        for trigger in _triggers(strategy_id, first_seq, until=end):
            next_seq = trigger.seq + 1
            received = trigger.created_at >= begin
            counts.alerts += received
            ended = not trigger.active
            for execution in _executions(trigger.id):
                if received:
                    _count_entry(counts, execution)
                closed_at = execution.closed_at
                if closed_at is not None and begin <= closed_at < end:
                    _count_result(counts, execution)
                ended = ended and (closed_at is None or closed_at < end)
            if not ended and unended is None:
                unended = trigger.seq
        if counts.alerts or counts.returns:
            _record(strategy_id, day, counts).save()
    return next_seq if unended is None else unended


def _triggers(strategy_id: str, first_seq: int, *, until: datetime) -> Iterator[Trigger]:
    keys = Trigger.by_strategy.query(strategy_id, Trigger.seq >= first_seq)
    for chunk in in_chunks((key.id for key in keys), _CHUNK):
        for trigger in Trigger.find_many(chunk).values():
            if trigger.created_at >= until:
                return
            yield trigger


def _executions(trigger_id: str) -> Iterator[Execution]:
    keys = (key.id for part in trigger_partitions(trigger_id) for key in Execution.by_trigger.query(part))
    for chunk in in_chunks(keys, _CHUNK):
        yield from Execution.find_many(chunk).values()


def _count_entry(counts: _Counts, execution: Execution) -> None:
    if execution.reason == DenialReason.ALREADY_IN_POSITION or not execution.opens:
        return
    counts.asked += 1
    if execution.entry_price is None:
        return
    counts.reached += 1
    worse = execution.entry_price - execution.order_price
    if execution.side is Side.SELL:
        worse = -worse
    counts.slippages.append(worse * 100 / execution.order_price)


def _count_result(counts: _Counts, execution: Execution) -> None:
    if execution.profit is None:
        return
    counts.profit += execution.profit
    if execution.equity:
        counts.returns[execution.follower_id] += execution.profit * 100 / execution.equity


def _record(strategy_id: str, day: date, counts: _Counts) -> StrategyFollowerDay:
    return StrategyFollowerDay(
        strategy_id,
        day.isoformat(),
        alerts=counts.alerts,
        asked=counts.asked,
        reached=counts.reached,
        slippage_pct=stored(distribution_of(counts.slippages, step=_PCT_STEP)),
        followers=len(counts.returns),
        profit=counts.profit,
        return_pct=stored(distribution_of(counts.returns.values(), step=_PCT_STEP)),
        updated_at=utc_now(),
    )
