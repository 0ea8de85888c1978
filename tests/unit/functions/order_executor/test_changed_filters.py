"""The exchange changes a symbol's filters while positions are open; exits go on with what was read before."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from shared.errors import (
    ExchangeRejected,
    ExchangeThrottled,
    ExchangeUnavailable,
    LeaseLost,
    LockstepError,
    OutcomeUnknown,
)
from shared.messages import Command
from shared.models.order import OrderStatus
from shared.trading.execution import CloseReason, DenialReason, ExecutionState
from shared.trading.ids import TAKE_PROFIT_LEGS, Leg
from shared.trading.sides import Side, StopType
from tests.unit.functions.order_executor.harness import Crash, Harness
from tests.unit.trading.markets import BITCOIN

DOGE = replace(
    BITCOIN,
    symbol="DOGE/USDT",
    tick_size=Decimal("0.00001"),
    step_size=Decimal(1),
    min_amount=Decimal(1),
    max_amount=Decimal(50_000_000),
    market_step_size=Decimal(1),
    market_min_amount=Decimal(1),
    market_max_amount=Decimal(30_000_000),
)
DOGE_ALERT: dict[str, Any] = {
    "symbol": "DOGE/USDT",
    "side": Side.SELL,
    "price": Decimal("0.062"),
    "stop": Decimal("0.06345"),
    "take_profits": [Decimal("0.0601")],
}
TRAILING: dict[str, Any] = {"trailing_trigger": Decimal(45), "callback_rate": Decimal("0.5")}
UNREACHABLE = [
    ExchangeUnavailable("Service Unavailable"),
    ExchangeThrottled("too many requests", retry_after_s=30),
    OutcomeUnknown("no answer"),
]


def cache(executor: Harness) -> None:
    """Let the container have read the present filters."""
    executor.account.cached_filters = executor.account.symbol_filters


def change_after_the_fill(executor: Harness, **changes: Any) -> None:
    """Let the exchange enforce other filters from the moment on at which the stop is on its way."""
    executor.account.meanwhile("place", lambda: executor.account.change_filters(**changes), leg=Leg.STOP)


# -- stops -------------------------------------------------------------------------------------------------------------


def test_stop_is_placed_on_the_tick_that_the_exchange_has_by_now(executor: Harness) -> None:
    executor.book.price = Decimal("0.062")
    executor.account.symbol_filters = DOGE
    cache(executor)
    change_after_the_fill(executor, tick_size=Decimal("0.0001"))

    execution = executor.open(**DOGE_ALERT)

    (stop,) = executor.book.standing(Leg.STOP)
    assert stop.trigger_price == Decimal("0.0634")
    assert [order.trigger_price for order in executor.orders(execution, Leg.STOP)] == [Decimal("0.0634")]
    assert executor.account.count("place STOP") == 2
    assert executor.account.count("exchange_info") == 1
    assert execution.naked_ms is not None
    assert execution.naked_ms < 200
    (target,) = executor.book.standing(*TAKE_PROFIT_LEGS)
    assert target.price == Decimal("0.0601")

    book = executor.book.copy()
    executor.reconcile(execution)
    assert executor.book == book


@pytest.mark.parametrize("tick", ["0.5", "0.07", "1", "3"])
@pytest.mark.parametrize("stop_type", list(StopType))
@pytest.mark.parametrize("side", list(Side))
def test_every_exit_of_a_stale_container_stands_on_the_new_tick(
    executor: Harness, tick: str, stop_type: StopType, side: Side
) -> None:
    cache(executor)
    executor.account.change_filters(tick_size=Decimal(tick))

    execution = executor.open(side, stop=Decimal(20000) - side.sign * Decimal("200.1"), stop_type=stop_type, **TRAILING)

    legs = {Leg.STOP, Leg.TRAILING, *TAKE_PROFIT_LEGS[:3]} | (
        {Leg.STOP_BACKSTOP} if stop_type is StopType.LIMIT else set()
    )
    assert {order.leg for order in executor.orders(execution) if order.status is OrderStatus.OPEN} == legs
    assert len(executor.book.standing()) == len(legs)
    recorded = {order.client_order_id: order for order in executor.orders(execution)}
    for view in executor.book.standing():
        order = recorded[view.client_order_id]
        assert (view.trigger_price, view.price) in {(order.trigger_price, order.price), (None, order.price)}
    assert execution.naked_ms is not None
    assert execution.naked_ms < 500


def test_position_is_flattened_when_the_tick_that_refuses_the_stop_cannot_be_read(executor: Harness) -> None:
    cache(executor)
    change_after_the_fill(executor, tick_size=Decimal("0.7"))
    executor.account.fail("exchange_info", ExchangeUnavailable("503"), times=99)

    execution = executor.handle(executor.queue())

    assert (execution.state, execution.close_reason) == (ExecutionState.CLOSED, CloseReason.FLATTENED)
    assert executor.account.count("place STOP") == 1
    assert execution.naked_ms is not None
    assert execution.naked_ms <= 5_000


def test_stop_is_placed_when_the_tick_can_be_read_at_the_second_attempt(executor: Harness) -> None:
    cache(executor)
    change_after_the_fill(executor, tick_size=Decimal("0.7"))
    executor.account.fail("exchange_info", ExchangeUnavailable("503"))

    executor.open()

    (stop,) = executor.book.standing(Leg.STOP)
    assert stop.trigger_price == Decimal("19800.2")
    assert executor.account.count("place STOP") == 2


@pytest.mark.parametrize("stop_type", list(StopType))
@pytest.mark.parametrize("stop", ["19800.05", "19800.1", "19800"])
def test_containers_that_know_different_filters_agree_about_a_standing_stop(
    executor: Harness, stop_type: StopType, stop: str
) -> None:
    execution = executor.open(stop=Decimal(stop), stop_type=stop_type)
    before = executor.book.copy()

    different: tuple[dict[str, Any], ...] = (
        {"tick_size": Decimal("0.01")},
        {"tick_size": Decimal(1)},
        {"step_size": Decimal("0.01"), "market_step_size": Decimal("0.5")},
        {"price_min": Decimal(19_900)},
        {"price_max": Decimal(19_000)},
    )
    for changes in different:
        executor.account.cached_filters = replace(BITCOIN, **changes)
        executor.reconcile(execution)
        assert executor.book == before, changes


def test_worker_with_other_filters_protects_what_a_crashed_one_entered_at_the_price_on_record(
    executor: Harness,
) -> None:
    execution = executor.crash("place", Leg.ENTRY, done=True, stop=Decimal("19800.05"))
    executor.account.cached_filters = replace(BITCOIN, tick_size=Decimal("0.01"))

    executor.reconcile(execution)

    (stop,) = executor.book.standing(Leg.STOP)
    assert stop.trigger_price == Decimal("19800.1")


def test_stop_that_the_owner_cancelled_is_placed_again_on_the_new_tick(executor: Harness) -> None:
    execution = executor.open(stop=Decimal("19800.1"))
    (stop,) = executor.book.standing(Leg.STOP)
    executor.book.cancel_as_owner(stop.client_order_id)
    executor.account.change_filters(tick_size=Decimal(1))

    execution = executor.reconcile(execution)

    (renewed,) = executor.book.standing(Leg.STOP)
    assert renewed.trigger_price == Decimal(19801)
    assert executor.orders(execution, Leg.STOP)[-1].trigger_price == Decimal(19801)


# -- entries -----------------------------------------------------------------------------------------------------------


def test_entry_that_the_new_step_refuses_is_sized_anew_and_sent_once_more(executor: Harness) -> None:
    cache(executor)
    executor.account.change_filters(step_size=Decimal("0.1"), market_step_size=Decimal("0.1"), tick_size=Decimal("0.5"))

    execution = executor.open(stop=Decimal("19800.1"))

    assert executor.book.position == Decimal("0.7")
    assert (execution.amount, executor.slot().quantity) == (Decimal("0.7"), Decimal("0.7"))
    assert executor.account.count("place ENTRY") == 2
    assert executor.account.count("exchange_info") == 1
    (stop,) = executor.book.standing(Leg.STOP)
    assert stop.trigger_price == Decimal("19800.5")
    assert executor.account.count("place STOP") == 1


def test_entry_that_the_new_filters_make_too_small_is_denied(executor: Harness) -> None:
    cache(executor)
    executor.account.change_filters(min_amount=Decimal(1))

    execution = executor.handle(executor.queue())

    assert execution.state is ExecutionState.DENIED
    assert execution.reason in set(DenialReason)
    assert executor.account.count("place ENTRY") == 1
    assert executor.slot().execution_id is None


@pytest.mark.parametrize(("side", "bound"), [(Side.BUY, "20009.5"), (Side.SELL, "19990.6")])
def test_entry_is_bounded_on_the_tick_that_the_exchange_has_by_now(executor: Harness, side: Side, bound: str) -> None:
    cache(executor)
    executor.account.change_filters(tick_size=Decimal("0.7"))

    execution = executor.open(side)

    (entry,) = executor.orders(execution, Leg.ENTRY)
    assert entry.price == Decimal(bound)
    assert executor.account.count("place ENTRY") == 2
    assert executor.account.count("place STOP") == 1
    (stop,) = executor.book.standing(Leg.STOP)
    assert stop.trigger_price is not None
    assert stop.trigger_price % Decimal("0.7") == 0


@pytest.mark.parametrize("code", [-1111, -4023, -4005, -4164, -2027])
def test_entry_that_is_refused_again_unchanged_is_not_sent_again(executor: Harness, code: int) -> None:
    executor.account.fail("place", ExchangeRejected("refused", code=code), leg=Leg.ENTRY, times=9)

    execution = executor.handle(executor.queue())

    assert (execution.state, execution.reason) == (ExecutionState.REJECTED, f"EXCHANGE_{-code}")
    assert executor.account.count("place ENTRY") == 1


def test_entry_above_the_new_brackets_is_sized_by_them(executor: Harness) -> None:
    def change_brackets() -> None:
        executor.account.brackets = (replace(executor.account.brackets[0], notional_cap=Decimal(10_000)),)
        raise ExchangeRejected("Exceeded the maximum allowable position at current leverage.", code=-2027)

    executor.account.meanwhile("place", change_brackets, leg=Leg.ENTRY)

    execution = executor.open()

    assert executor.account.count("forget_brackets") == 1
    assert execution.amount is not None
    assert execution.amount * 20000 <= 10_000
    assert executor.book.position == execution.amount


def test_worker_that_crashes_after_sizing_anew_leaves_one_entry(executor: Harness) -> None:
    cache(executor)
    executor.account.change_filters(step_size=Decimal("0.1"), market_step_size=Decimal("0.1"))
    execution = executor.queue()
    executor.account.skip("read", 1)
    executor.account.fail("read", Crash())
    with pytest.raises(Crash):
        executor.handle(execution)

    execution = executor.reconcile(execution)

    assert execution.state is ExecutionState.PROTECTED
    assert executor.book.position == Decimal("0.7")


# -- closes and targets ------------------------------------------------------------------------------------------------


def test_close_that_the_new_step_refuses_is_sent_for_what_it_allows_and_the_rest_keeps_its_stop(
    executor: Harness,
) -> None:
    execution = executor.open()
    executor.account.change_filters(market_step_size=Decimal("0.1"), market_min_amount=Decimal("0.1"))

    execution = executor.handle(execution, Command.CLOSE)

    assert execution.state is ExecutionState.CLOSING
    assert executor.book.position == Decimal("0.05")
    assert executor.account.count("place CLOSE") == 2
    assert len(executor.book.standing(Leg.STOP)) == 1


def test_close_above_the_new_maximum_is_sent_in_parts(executor: Harness) -> None:
    execution = executor.open()
    executor.account.change_filters(market_max_amount=Decimal("0.4"))

    execution = executor.handle(execution, Command.CLOSE)

    assert (execution.state, execution.close_reason) == (ExecutionState.CLOSED, CloseReason.ADMIN)
    assert executor.book.position == 0


def test_rest_is_dust_only_by_filters_of_the_last_minute(executor: Harness) -> None:
    execution = executor.open()
    executor.account.cached_filters = replace(BITCOIN, market_min_amount=Decimal(1))

    execution = executor.handle(execution, Command.CLOSE)

    assert execution.state is ExecutionState.CLOSED


def test_close_that_is_refused_again_unchanged_is_not_sent_again(executor: Harness) -> None:
    execution = executor.open()
    executor.account.fail("place", ExchangeRejected("refused", code=-1111), leg=Leg.CLOSE, times=9)

    execution = executor.handle(execution, Command.CLOSE)

    assert execution.state is ExecutionState.CLOSING
    assert executor.account.count("place CLOSE") == 1
    assert len(executor.book.standing(Leg.STOP)) == 1


def test_targets_are_placed_for_amounts_of_the_new_step(executor: Harness) -> None:
    cache(executor)
    executor.account.change_filters(step_size=Decimal("0.05"), min_amount=Decimal("0.05"))

    execution = executor.open()

    assert [order.amount for order in executor.book.standing(*TAKE_PROFIT_LEGS)] == [Decimal("0.25")] * 3
    executor.account.change_filters(step_size=Decimal("0.1"), min_amount=Decimal("0.1"))
    executor.reconcile(execution)
    assert len(executor.book.standing(*TAKE_PROFIT_LEGS)) == 3


def test_target_that_the_new_filters_still_refuse_is_rejected_and_not_sent_again(executor: Harness) -> None:
    executor.account.change_filters(tick_size=Decimal("0.1"))
    cache(executor)
    executor.account.change_filters(min_amount=Decimal("0.3"))

    execution = executor.open()
    executor.reconcile(execution)

    statuses = [order.status for order in executor.orders(execution, *TAKE_PROFIT_LEGS)]
    assert statuses == [OrderStatus.REJECTED] * 3
    assert [executor.account.count(f"place {leg.value}") for leg in TAKE_PROFIT_LEGS] == [1, 1, 1, 0]


# -- without filters ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", UNREACHABLE)
@pytest.mark.parametrize("cold", [False, True])
def test_position_is_closed_although_exchange_info_cannot_be_read(
    executor: Harness, error: LockstepError, cold: bool
) -> None:
    execution = executor.open()
    _lose_all_that_only_entries_need(executor, error, cold=cold)

    execution = executor.handle(execution, Command.CLOSE)

    assert (execution.state, execution.close_reason) == (ExecutionState.CLOSED, CloseReason.ADMIN)
    assert executor.book.position == 0


@pytest.mark.parametrize("error", UNREACHABLE)
def test_close_that_a_new_step_refuses_is_cut_while_that_step_cannot_be_read(
    executor: Harness, error: LockstepError
) -> None:
    execution = executor.open()
    executor.account.change_filters(market_step_size=Decimal("0.1"), market_min_amount=Decimal("0.1"))
    executor.account.fail("exchange_info", error, times=100)

    execution = executor.handle(execution, Command.CLOSE)

    closes = [order.amount for order in executor.orders(execution, Leg.CLOSE)]
    assert closes == [Decimal("0.75"), Decimal("0.7"), Decimal("0.05")]
    assert execution.state is ExecutionState.CLOSING
    assert executor.book.position == Decimal("0.05")
    assert len(executor.book.standing(Leg.STOP)) == 1


def test_close_that_every_digit_of_is_refused_ends_its_rounds(executor: Harness) -> None:
    execution = executor.open()
    executor.account.fail("place", ExchangeRejected("refused", code=-1111), leg=Leg.CLOSE, times=99)
    executor.account.fail("exchange_info", OutcomeUnknown("HTTP 503"), times=99)

    execution = executor.handle(execution, Command.CLOSE)

    assert execution.state is ExecutionState.CLOSING
    assert [order.amount for order in executor.orders(execution, Leg.CLOSE)] == [Decimal("0.75"), Decimal("0.7")]
    assert len(executor.book.standing(Leg.STOP)) == 1


@pytest.mark.parametrize("stop_type", list(StopType))
@pytest.mark.parametrize("error", UNREACHABLE)
@pytest.mark.parametrize("cold", [False, True])
def test_naked_position_gets_its_stop_although_exchange_info_cannot_be_read(
    executor: Harness, error: LockstepError, cold: bool, stop_type: StopType
) -> None:
    executor.account.fail("place", LeaseLost("taken over"), leg=Leg.STOP)
    execution = executor.queue(stop=Decimal("19800.05"), stop_type=stop_type)
    with pytest.raises(LeaseLost):
        executor.handle(execution)
    _lose_all_that_only_entries_need(executor, error, cold=cold)

    execution = executor.reconcile(execution)

    assert execution.state is ExecutionState.PROTECTED
    (stop,) = executor.book.standing(Leg.STOP)
    assert stop.trigger_price == Decimal("19800.1")
    assert len(executor.book.standing(Leg.STOP_BACKSTOP)) == (1 if stop_type is StopType.LIMIT else 0)


def test_targets_that_no_filters_could_be_had_for_are_placed_when_there_are_some(executor: Harness) -> None:
    execution = executor.crash("place", Leg.ENTRY, done=True)
    _lose_all_that_only_entries_need(executor, UNREACHABLE[0], cold=True)
    execution = executor.reconcile(execution)
    assert (execution.state, executor.book.standing(*TAKE_PROFIT_LEGS)) == (ExecutionState.PROTECTED, [])

    executor.account.clear_faults()
    executor.reconcile(execution)

    assert len(executor.book.standing(*TAKE_PROFIT_LEGS)) == 3


@pytest.mark.parametrize("error", UNREACHABLE)
def test_stop_that_was_hit_is_booked_although_exchange_info_and_prices_cannot_be_read(
    executor: Harness, error: LockstepError
) -> None:
    execution = executor.open()
    executor.book.move_price(19790)
    _lose_all_that_only_entries_need(executor, error, cold=True)

    execution = executor.reconcile(execution)

    assert (execution.state, execution.close_reason) == (ExecutionState.CLOSED, CloseReason.STOP)


def test_position_of_a_symbol_that_is_not_listed_any_more_is_booked_by_a_container_that_never_read_it(
    executor: Harness,
) -> None:
    execution = executor.open()
    executor.book.trade_as_owner(Side.SELL, "0.75")
    executor.account.symbol_filters = executor.account.cached_filters = None

    execution = executor.reconcile(execution)

    assert (execution.state, execution.close_reason) == (ExecutionState.CLOSED, CloseReason.MANUAL)


def _lose_all_that_only_entries_need(executor: Harness, error: LockstepError, *, cold: bool) -> None:
    for method in ("exchange_info", "read", "is_trading", "market_price", "price_of_asset"):
        executor.account.fail(method, error, times=999)
    if cold:
        executor.account.cached_filters = None


# -- the trailing stop -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("side", "price"), [(Side.BUY, 20050), (Side.SELL, 19950)])
def test_trailing_stop_whose_activation_the_market_has_passed_is_active_at_once(
    executor: Harness, side: Side, price: int
) -> None:
    executor.book.move_price(price)

    execution = executor.open(side, **TRAILING)

    (trailing,) = executor.book.standing(Leg.TRAILING)
    assert trailing.amount == execution.filled_amount
    (order,) = executor.orders(execution, Leg.TRAILING)
    assert order.status is OrderStatus.OPEN
    assert order.trigger_price is None
    assert executor.account.count("place TRAILING") == 2


def test_trailing_stop_that_the_market_has_not_reached_keeps_its_activation(executor: Harness) -> None:
    execution = executor.open(**TRAILING)

    (order,) = executor.orders(execution, Leg.TRAILING)
    assert (order.status, order.trigger_price) == (OrderStatus.OPEN, Decimal(20045))


def test_trailing_stop_that_is_passed_and_off_the_tick_is_placed_all_the_same(executor: Harness) -> None:
    cache(executor)
    executor.account.change_filters(tick_size=Decimal(7))
    executor.book.move_price(20050)

    executor.open(**TRAILING)

    assert len(executor.book.standing(Leg.TRAILING)) == 1


def test_trailing_stop_that_is_refused_for_good_is_rejected_and_not_sent_again(executor: Harness) -> None:
    executor.account.fail("place", ExchangeRejected("callback", code=-2007), leg=Leg.TRAILING, times=9)

    execution = executor.open(**TRAILING)

    assert [o.status for o in executor.orders(execution, Leg.TRAILING)] == [OrderStatus.REJECTED]
    assert executor.account.count("place TRAILING") == 1
