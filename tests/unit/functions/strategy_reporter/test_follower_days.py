"""Days of a strategy's followers: who was reached, at what slippage, and what they earned."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from functions.strategy_reporter.follower_days import report_followers
from shared.models.execution import Execution
from shared.models.strategy_follower_day import StrategyFollowerDay
from shared.models.trigger import Trigger
from shared.trading.execution import DenialReason, ExecutionState
from shared.trading.sides import Side
from tests.unit.in_process_aws import Queues
from tests.unit.records import STRATEGY_ID, a_follower, a_trigger, an_execution, an_exit

MONDAY = date(2022, 9, 5)
CLOSED, DENIED, PROTECTED = ExecutionState.CLOSED, ExecutionState.DENIED, ExecutionState.PROTECTED


def at(day: int, hour: int = 12) -> datetime:
    return datetime(2022, 9, day, hour, tzinfo=UTC)


def an_alert(seq: int, *, received_at: datetime, side: Side = Side.BUY, active: bool = False) -> Trigger:
    return a_trigger(
        f"alert {seq}", seq=seq, at=received_at, side=side, price=Decimal(20000), stop=Decimal(19000), active=active
    )


def filled(trigger: Trigger, name: str, price: str, **values: Any) -> Execution:
    usual: dict[str, Any] = {"entry_price": Decimal(price), "equity": Decimal(1000)}
    return an_execution(trigger, a_follower(name), **({"state": CLOSED} | usual | values))


def day_of(day: date = MONDAY) -> StrategyFollowerDay:
    found = StrategyFollowerDay.find(STRATEGY_ID, day.isoformat())
    assert found is not None
    return found


def test_day_counts_who_was_reached_and_at_what_slippage(tables: Queues) -> None:
    buy, sell = an_alert(1, received_at=at(5, 8)), an_alert(2, received_at=at(5, 20), side=Side.SELL)
    for name, price in (("Ada", "20010"), ("Bob", "20000"), ("Cyd", "19990")):
        filled(buy, name, price, closed_at=at(6))
    filled(sell, "Dan", "19960", closed_at=at(6))
    an_execution(buy, a_follower("Eve"), state=DENIED, reason=DenialReason.STALE, closed_at=at(5))
    # This one needed no entry.
    an_execution(buy, a_follower("Fay"), state=DENIED, reason=DenialReason.ALREADY_IN_POSITION, closed_at=at(5))

    report_followers(STRATEGY_ID, MONDAY, first_seq=0)

    found = day_of()
    assert (found.alerts, found.asked, found.reached) == (2, 5, 4)
    slippage = found.slippage
    assert slippage is not None
    # A seller is worse off below the alert's price: -0.05, 0, +0.05 and +0.2 percent.
    assert (slippage.least, slippage.median, slippage.greatest) == (
        Decimal("-0.05"),
        Decimal("0.025"),
        Decimal("0.2"),
    )
    assert (found.followers, found.returns) == (0, None)


def test_day_sums_what_each_follower_earned_and_shows_the_spread(tables: Queues) -> None:
    first, second = an_alert(1, received_at=at(4)), an_alert(2, received_at=at(5))
    profits = {"Ada": "10", "Bob": "20", "Cyd": "-5", "Dan": "40"}
    for name, profit in profits.items():
        filled(first, name, "20000", profit=Decimal(profit), closed_at=at(5))
    # Ada closed twice on that day: 1 % + 0.5 %.
    filled(second, "Ada", "20000", profit=Decimal(5), closed_at=at(5, 23))
    filled(second, "Bob", "20000", profit=Decimal(99), closed_at=at(6, 0))

    report_followers(STRATEGY_ID, MONDAY, first_seq=0)

    found = day_of()
    assert (found.followers, found.profit) == (4, Decimal(70))
    returns = found.returns
    assert returns is not None
    assert (returns.least, returns.lower_quartile, returns.median, returns.upper_quartile, returns.greatest) == (
        Decimal("-0.5"),
        Decimal("1"),
        Decimal("1.75"),
        Decimal("2.5"),
        Decimal(4),
    )


def test_position_that_is_held_for_days_counts_on_the_day_it_is_closed(tables: Queues) -> None:
    held, other = an_alert(1, received_at=at(5), active=True), an_alert(2, received_at=at(6))
    execution = filled(held, "Ada", "20000", state=PROTECTED)
    filled(other, "Bob", "20000", profit=Decimal(1), closed_at=at(6))
    first_seq = 0
    for number in range(3):
        first_seq = report_followers(STRATEGY_ID, MONDAY + timedelta(days=number), first_seq=first_seq)
        assert first_seq == 1
    execution.update(
        actions=[Execution.state.set(CLOSED), Execution.closed_at.set(at(8)), Execution.profit.set(Decimal(30))]
    )
    held.update(actions=[Trigger.active.set(False)])
    # The days before the close are made again as they were.
    assert report_followers(STRATEGY_ID, date(2022, 9, 7), first_seq=1) == 1
    assert report_followers(STRATEGY_ID, date(2022, 9, 8), first_seq=1) == 3
    assert [one.date for one in StrategyFollowerDay.since(STRATEGY_ID, None)] == [
        "2022-09-05",
        "2022-09-06",
        "2022-09-08",
    ]
    assert day_of(date(2022, 9, 8)).profit == 30


def test_repeat_changes_nothing_and_another_strategy_is_left_out(tables: Queues) -> None:
    alert = an_alert(1, received_at=at(5))
    filled(alert, "Ada", "20010", profit=Decimal(3), closed_at=at(5))
    a_trigger("another's", seq=1, at=at(5), strategy_id="00000000-0000-4000-8000-000000000000")
    results = []
    for _ in range(2):
        assert report_followers(STRATEGY_ID, MONDAY, first_seq=0) == 2
        record = day_of().to_dynamodb_dict()
        del record["updated_at"]
        results.append(record)
    assert results[0] == results[1]
    assert day_of().alerts == 1


def test_quiet_day_has_no_record(tables: Queues) -> None:
    an_alert(1, received_at=at(5))
    assert report_followers(STRATEGY_ID, date(2022, 9, 7), first_seq=0) == 2
    assert list(StrategyFollowerDay.since(STRATEGY_ID, None)) == []


def test_exit_is_an_alert_that_asks_nobody_to_enter(tables: Queues) -> None:
    buy, close = an_alert(1, received_at=at(5, 8)), an_exit("close", seq=2, at=at(5, 20))
    filled(buy, "Ada", "20010", closed_at=at(6))
    an_execution(close, a_follower("Ada"), state=ExecutionState.DONE, closed_at=at(5))

    report_followers(STRATEGY_ID, MONDAY, first_seq=0)

    assert (day_of().alerts, day_of().asked, day_of().reached) == (2, 1, 1)
