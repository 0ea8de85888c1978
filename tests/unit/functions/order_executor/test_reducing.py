"""A reduction brings a position down to a share of its entry's amount, once, whatever goes wrong on the way."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from itertools import permutations

import pytest

from functions.order_executor import account_cache
from functions.position_watcher import looks
from shared.clock import utc_now
from shared.errors import (
    AddressBanned,
    ExchangeAuthorizationFailed,
    ExchangeRejected,
    ExchangeUnavailable,
    OutcomeUnknown,
)
from shared.messages import Command
from shared.models.execution import Execution
from shared.models.follower import Follower, FollowerMode
from shared.models.order import OrderStatus
from shared.models.trigger import Trigger
from shared.scheduling import RECHECK_S
from shared.trading.execution import CloseReason, DenialReason, Desired, ExecutionState, Reason
from shared.trading.ids import TAKE_PROFIT_LEGS, Leg
from shared.trading.sides import Side, StopType
from tests.builders import saved
from tests.unit.functions.order_executor.harness import Crash, Harness

ENTERED = Decimal("0.750")
HALF = Decimal("0.375")
FAR = 10**6


def answer(exit_alert: Execution) -> tuple[ExecutionState, str | None, str | None]:
    return exit_alert.state, exit_alert.reason, exit_alert.detail


def targets(executor: Harness) -> list[Decimal]:
    """Return the amounts of the standing take-profits, the lowest first."""
    standing = sorted(executor.book.standing(*TAKE_PROFIT_LEGS), key=lambda order: order.price or 0)
    return [order.remaining for order in standing]


def reduced_by(executor: Harness, execution: Execution) -> list[Decimal]:
    """Return what the reduce orders of an execution have filled."""
    return [order.filled or Decimal(0) for order in executor.orders(execution, Leg.REDUCE)]


def carry_on(executor: Harness, execution: Execution, *, times: int = 1) -> Execution:
    """Let further workers reconcile the position, each when it is due."""
    for _ in range(times):
        executor.advance(60)
        executor.handle(execution, Command.RECONCILE)
    return executor.now(execution)


def assert_halved(executor: Harness, held: Execution) -> None:
    """Assert that half of the entry is left, with its stop, and that nothing more happens to it."""
    for _ in range(2):
        held = executor.now(held)
        assert (held.state, held.desired, held.is_to_be_reduced) == (ExecutionState.PROTECTED, Desired.OPEN, False)
        assert abs(executor.book.position) == HALF
        assert executor.slot().quantity == HALF
        assert targets(executor) == [Decimal("0.125")] * 3
        (stop,) = executor.book.standing(Leg.STOP)
        assert stop.close_position
        assert sum(reduced_by(executor, held)) == ENTERED - HALF
        carry_on(executor, held)


@pytest.mark.parametrize("side", list(Side))
def test_reduction_sells_a_part_and_plans_the_targets_for_the_rest(executor: Harness, side: Side) -> None:
    held = executor.open(side)
    stops = executor.book.standing(Leg.STOP)
    assert abs(executor.book.position) == ENTERED
    executor.advance(1)

    exit_alert = executor.handle(executor.queue_reduction("0.5"))

    assert answer(exit_alert) == (ExecutionState.DONE, Reason.APPLIED, held.id)
    assert executor.book.standing(Leg.STOP) == stops
    assert_halved(executor, held)
    assert (executor.now(held).reason, executor.now(held).detail) == (Reason.REDUCED, "0.375 of 0.750")
    assert not Trigger.get(exit_alert.trigger_id).active


def test_position_that_was_reduced_is_booked_whole(executor: Harness) -> None:
    held = executor.open()
    executor.advance(1)
    executor.book.move_price(20100)
    executor.handle(executor.queue_reduction("0.5"))
    executor.advance(60)

    executor.book.move_price(19700)
    held = carry_on(executor, held, times=2)

    assert (held.state, held.close_reason, held.filled_amount) == (ExecutionState.CLOSED, CloseReason.STOP, ENTERED)
    assert held.exit_price == (Decimal(20100) + Decimal(executor.book.price)) / 2
    assert executor.book.position == 0
    assert executor.book.standing() == []


def test_what_take_profits_have_sold_counts(executor: Harness) -> None:
    held = executor.open()
    executor.book.move_price(20200)
    executor.advance(1)

    executor.handle(executor.queue_reduction("0.5"))

    assert reduced_by(executor, held) == [Decimal("0.125")]
    assert executor.book.position == HALF
    assert sum(targets(executor)) == HALF
    assert len(targets(executor)) == 2


def test_position_that_is_no_larger_than_asked_is_left_as_it_is(executor: Harness) -> None:
    held = executor.open()
    executor.book.move_price(20300)
    carry_on(executor, held)
    standing = executor.book.standing()

    exit_alert = executor.handle(executor.queue_reduction("0.5"))
    held = carry_on(executor, held)

    assert answer(exit_alert) == (ExecutionState.DONE, Reason.NOTHING_TO_REDUCE, None)
    assert (executor.book.standing(), reduced_by(executor, held)) == (standing, [])
    assert not held.is_to_be_reduced
    assert held.reason is None


@pytest.mark.parametrize("order", list(permutations(["0.8", "0.5", "0.6"])))
def test_reductions_in_any_order_and_twice_leave_the_smallest_share(executor: Harness, order: tuple[str, ...]) -> None:
    fired_at = utc_now()
    held = executor.open(fired_at=fired_at)
    executor.advance(20)
    alerts = [executor.queue_reduction(share, fired_at=fired_at + timedelta(seconds=5)) for share in order]
    for alert in (*alerts, *alerts):
        executor.handle(alert)

    assert sum(reduced_by(executor, held)) == HALF
    assert_halved(executor, held)
    reasons = {share: executor.now(alert).reason for share, alert in zip(order, alerts, strict=True)}
    assert reasons["0.5"] == Reason.APPLIED


def test_second_reduction_is_of_the_entry_and_not_of_the_rest(executor: Harness) -> None:
    held = executor.open()
    executor.advance(1)
    for share in ("0.8", "0.5"):
        executor.handle(executor.queue_reduction(share))
        executor.advance(60)
    assert_halved(executor, held)


def test_size_of_the_strategys_position_is_compared_with_that_of_the_entry(executor: Harness) -> None:
    held = executor.open(position_size=Decimal(4))
    executor.advance(1)
    more = executor.handle(executor.queue_reduction(size="6"))
    less = executor.handle(executor.queue_reduction(size="2", position_side=Side.BUY))
    assert (more.reason, less.reason) == (Reason.NOTHING_TO_REDUCE, Reason.APPLIED)
    assert_halved(executor, held)


def test_size_says_nothing_of_a_position_whose_entry_had_none(executor: Harness) -> None:
    executor.open()
    executor.advance(1)
    assert executor.handle(executor.queue_reduction(size="2")).reason == Reason.NOTHING_TO_REDUCE
    assert executor.book.position == ENTERED


@pytest.mark.parametrize(
    ("fired_s", "side"), [(-5, None), (0, None), (5, Side.SELL)], ids=["older", "same second", "other side"]
)
def test_reduction_means_an_older_position_of_its_side_alone(
    executor: Harness, fired_s: float, side: Side | None
) -> None:
    fired_at = utc_now().replace(microsecond=0)
    held = executor.open(fired_at=fired_at)
    executor.advance(20)

    alert = executor.queue_reduction("0.5", fired_at=fired_at + timedelta(seconds=fired_s), position_side=side)

    assert executor.handle(alert).reason == Reason.NOTHING_TO_REDUCE
    assert executor.now(held).keep_share is None
    assert executor.book.position == ENTERED


def test_reduction_without_a_position_asks_the_exchange_nothing(executor: Harness) -> None:
    alert = executor.handle(executor.queue_reduction("0.5"))
    assert answer(alert) == (ExecutionState.DONE, Reason.NOTHING_TO_REDUCE, None)
    assert executor.account.requests == []


def test_no_guard_denies_a_reduction_and_none_is_too_late(executor: Harness) -> None:
    fired_at = utc_now()
    held = executor.open(fired_at=fired_at)
    executor.advance(3 * 86_400)
    alert = executor.queue_reduction("0.5", fired_at=fired_at + timedelta(seconds=1))
    executor.follower.update(actions=[Follower.active.set(False), Follower.mode.set(FollowerMode.EXITS_ONLY)])
    assert executor.handle(alert).reason == Reason.APPLIED
    assert_halved(executor, held)


def test_rest_below_the_exchanges_minimum_is_closed_with_the_part(executor: Harness) -> None:
    held = executor.open()
    executor.advance(1)

    alert = executor.handle(executor.queue_reduction("0.001"))

    assert alert.reason == Reason.APPLIED
    held = executor.now(held)
    assert (held.state, held.close_reason) == (ExecutionState.CLOSED, CloseReason.EXIT_ALERT)
    assert executor.book.position == 0
    assert executor.book.standing() == []


@pytest.mark.parametrize("close_first", [True, False])
def test_close_wins_over_a_reduction_whichever_comes_first(executor: Harness, close_first: bool) -> None:
    held = executor.open()
    executor.advance(1)
    alerts = [executor.queue_close(), executor.queue_reduction("0.5")]
    for alert in alerts if close_first else alerts[::-1]:
        executor.handle(alert)
    assert executor.now(held).close_reason == CloseReason.EXIT_ALERT
    assert executor.book.position == 0
    assert executor.book.standing() == []


# -- before the entry --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("share", ["0.5", "0.001"])
def test_reduction_that_comes_before_its_entry_is_applied_to_it(executor: Harness, share: str) -> None:
    fired_at = utc_now()
    executor.advance(10)
    alert = executor.handle(executor.queue_reduction(share, fired_at=fired_at + timedelta(seconds=5)))
    assert alert.reason == Reason.NOTHING_TO_REDUCE

    held = executor.handle(executor.queue(fired_at=fired_at))

    if share == "0.5":
        assert_halved(executor, held)
    else:
        assert answer(held) == (
            ExecutionState.DENIED,
            DenialReason.BELOW_MINIMUM,
            f"an exit alert leaves 0.001 of {ENTERED}",
        )
        assert executor.account.count("place") == 0


def test_entry_that_is_newer_than_a_reduction_is_whole(executor: Harness) -> None:
    fired_at = utc_now()
    executor.advance(10)
    executor.handle(executor.queue_reduction("0.5", fired_at=fired_at))
    executor.handle(executor.queue(fired_at=fired_at + timedelta(seconds=5)))
    assert executor.book.position == ENTERED


def test_reduction_supersedes_no_entry_on_the_other_side(executor: Harness) -> None:
    fired_at = utc_now()
    held = executor.open(fired_at=fired_at)
    executor.advance(10)
    executor.handle(executor.queue_reduction("0.5", fired_at=fired_at + timedelta(seconds=8)))
    turned = executor.handle(executor.queue(Side.SELL, fired_at=fired_at + timedelta(seconds=5)))
    assert executor.now(held).close_reason == CloseReason.OPPOSITE
    # The reduction names no side, so it means the newer position too, which is older than itself.
    assert turned.state is ExecutionState.PROTECTED
    assert executor.book.position == -HALF


def test_entry_without_an_answer_is_reduced_once_it_shows(executor: Harness) -> None:
    executor.account.lose_answer("place", leg=Leg.ENTRY)
    executor.account.fail("find_order", ExchangeUnavailable("down"), times=FAR)
    executor.account.fail("position", OutcomeUnknown("no answer"), times=FAR)
    entry = executor.queue()
    with pytest.raises(Exception, match=r"down|no answer"):
        executor.handle(entry)
    executor.advance(1)
    with pytest.raises(Exception, match=r"down|no answer"):
        executor.handle(entry, Command.RECONCILE)
    alert = executor.handle(executor.queue_reduction("0.5"))
    assert alert.reason == Reason.APPLIED
    executor.account.clear_faults()

    carry_on(executor, entry)

    assert_halved(executor, entry)


# -- what goes wrong on the way ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("done_after_s", [0.0, 1.0])
def test_order_without_an_answer_is_not_sent_again(executor: Harness, done_after_s: float) -> None:
    held = executor.open()
    executor.advance(1)
    executor.account.lose_answer("place", leg=Leg.REDUCE, done_after_s=done_after_s)

    executor.handle(executor.queue_reduction("0.5"))

    assert len(executor.orders(held, Leg.REDUCE)) == 1
    assert_halved(executor, held)


def test_order_that_never_arrived_is_sent_once_more_under_another_id_after_its_window(executor: Harness) -> None:
    held = executor.open()
    executor.advance(1)
    executor.account.fail("place", OutcomeUnknown("no answer"), leg=Leg.REDUCE)

    executor.handle(executor.queue_reduction("0.5"))

    assert [order.status for order in executor.orders(held, Leg.REDUCE)] == [OrderStatus.ABSENT, OrderStatus.FILLED]
    assert_halved(executor, held)


def test_nothing_more_is_sent_while_the_exchange_does_not_say_what_became_of_an_order(executor: Harness) -> None:
    held = executor.open()
    executor.advance(1)
    executor.account.lose_answer("place", leg=Leg.REDUCE)
    executor.account.fail("find_order", ExchangeUnavailable("down"), times=FAR)
    executor.account.lag("fills", reads=FAR)

    alert = executor.handle(executor.queue_reduction("0.5"))

    assert alert.reason == Reason.APPLIED
    held = executor.now(held)
    assert held.is_to_be_reduced
    assert not looks.may_wait(held)
    assert held.due_at is not None
    assert held.due_at <= utc_now() + timedelta(seconds=RECHECK_S)
    assert executor.book.position == HALF
    executor.account.clear_faults()
    carry_on(executor, held)
    assert len(executor.orders(held, Leg.REDUCE)) == 1
    assert_halved(executor, held)


@pytest.mark.parametrize("done", [True, False])
@pytest.mark.parametrize(
    ("request_name", "leg"),
    [("place", Leg.REDUCE), ("place", Leg.TAKE_PROFIT_2), ("cancel", None), ("fills", None), ("open_orders", None)],
)
def test_crash_on_the_way_is_finished_by_the_next_worker(
    executor: Harness, request_name: str, leg: Leg | None, done: bool
) -> None:
    held = executor.open()
    executor.advance(1)
    alert = executor.queue_reduction("0.5")
    executor.account.fail(request_name, Crash(), leg=leg, done_after_s=0.0 if done else None)
    with pytest.raises(Crash):
        executor.handle(alert)
    assert answer(executor.now(alert)) == (ExecutionState.DONE, Reason.APPLIED, held.id)
    assert executor.now(held).is_to_be_reduced
    assert executor.book.guarded

    held = carry_on(executor, held, times=2)

    assert executor.handle(alert).reason == Reason.APPLIED
    assert executor.book.position == HALF
    assert sum(reduced_by(executor, held)) == HALF
    assert sum(targets(executor)) == HALF
    assert len(executor.book.standing(Leg.STOP)) == 1
    assert (held.state, held.is_to_be_reduced) == (ExecutionState.PROTECTED, False)


def test_crash_after_the_request_was_recorded_leaves_the_answer_applied(
    executor: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = executor.open()
    executor.advance(1)
    alert = executor.queue_reduction("0.5")
    with monkeypatch.context() as patched:
        patched.setattr("functions.order_executor.recheck.schedule_recheck", _crash)
        with pytest.raises(Crash):
            executor.handle(alert)
    executor.advance(20)
    assert executor.handle(alert).reason == Reason.APPLIED
    assert_halved(executor, held)


async def _crash(*_: object, **__: object) -> None:
    raise Crash


def test_target_that_fills_while_it_makes_room_counts(executor: Harness) -> None:
    held = executor.open()
    executor.advance(1)
    executor.account.meanwhile("cancel", lambda: executor.book.move_price(20200))

    executor.handle(executor.queue_reduction("0.5"))

    held = carry_on(executor, held, times=2)
    assert executor.book.position == HALF
    assert sum(reduced_by(executor, held)) == Decimal("0.125")
    assert sum(targets(executor)) <= HALF
    assert not held.is_to_be_reduced


@pytest.mark.parametrize("before", [True, False])
def test_target_that_fills_before_or_while_it_makes_room_moves_the_stop(executor: Harness, before: bool) -> None:
    held = executor.open(breakeven_after=1)
    executor.advance(1)
    if before:
        executor.book.move_price(20200)
    else:
        executor.account.meanwhile("cancel", lambda: executor.book.move_price(20200))

    executor.handle(executor.queue_reduction("0.5"))

    held = carry_on(executor, held, times=2)
    assert executor.book.position == HALF
    assert held.stop_moved_to is not None
    (stop,) = executor.book.standing(Leg.STOP)
    assert (stop.trigger_price, stop.close_position) == (held.stop_moved_to, True)
    assert not held.is_to_be_reduced


def test_stop_that_triggers_on_the_way_ends_the_position(executor: Harness) -> None:
    held = executor.open()
    executor.advance(1)
    executor.account.meanwhile("place", lambda: executor.book.move_price(19700), leg=Leg.REDUCE)

    executor.handle(executor.queue_reduction("0.5"))

    held = carry_on(executor, held, times=2)
    assert (held.state, held.close_reason) == (ExecutionState.CLOSED, CloseReason.STOP)
    assert executor.book.position == 0
    assert executor.book.standing() == []


def test_refused_order_keeps_the_stop_and_the_request(executor: Harness) -> None:
    held = executor.open()
    executor.advance(1)
    executor.account.fail("place", ExchangeRejected("refused", code=-2022), leg=Leg.REDUCE, times=FAR)
    assert executor.handle(executor.queue_reduction("0.5")).reason == Reason.APPLIED
    held = executor.now(held)
    assert (held.state, held.is_to_be_reduced) == (ExecutionState.PROTECTED, True)
    assert len(executor.book.standing(Leg.STOP)) == 1
    executor.account.clear_faults()
    carry_on(executor, held, times=2)
    assert_halved(executor, held)


def test_limit_stop_makes_room_after_a_refusal_and_stands_again_beside_its_backstop(executor: Harness) -> None:
    held = executor.open(stop_type=StopType.LIMIT)
    executor.advance(1)
    executor.account.fail("place", ExchangeRejected("overlap", code=-2022), leg=Leg.REDUCE)

    def backstop_stands() -> None:
        assert executor.book.standing(Leg.STOP_BACKSTOP)

    executor.account.meanwhile("place", backstop_stands, leg=Leg.REDUCE)
    executor.handle(executor.queue_reduction("0.5"))

    (stop,) = executor.book.standing(Leg.STOP)
    held = executor.now(held)
    assert held.filled_amount is not None
    assert (stop.remaining, stop.close_position) == (executor.book.position, False)
    assert 0 <= held.filled_amount / 2 - executor.book.position < Decimal("0.001")
    assert len(executor.book.standing(Leg.STOP_BACKSTOP)) == 1
    assert not held.is_to_be_reduced


def test_trailing_stop_makes_room_after_a_refusal_and_stands_again_for_the_rest(executor: Harness) -> None:
    held = executor.open(trailing_trigger=Decimal(45), callback_rate=Decimal("0.5"))
    executor.advance(1)
    executor.account.fail("place", ExchangeRejected("overlap", code=-2022), leg=Leg.REDUCE)

    executor.handle(executor.queue_reduction("0.5"))

    (trailing,) = executor.book.standing(Leg.TRAILING)
    assert trailing.remaining == abs(executor.book.position) == HALF
    assert_halved(executor, held)


def test_what_made_room_stands_again_when_a_later_request_fails(executor: Harness) -> None:
    held = executor.open(stop_type=StopType.LIMIT, trailing_trigger=Decimal(45), callback_rate=Decimal("0.5"))
    executor.advance(1)
    executor.account.fail("place", ExchangeRejected("overlap", code=-2022), leg=Leg.REDUCE)

    def unreachable() -> None:
        executor.account.fail("place", ExchangeUnavailable("down"), leg=Leg.REDUCE)

    executor.account.meanwhile("cancel", unreachable, leg=Leg.TRAILING)
    executor.handle(executor.queue_reduction("0.5"))

    assert not executor.account.has_faults
    assert executor.now(held).is_to_be_reduced
    assert len(executor.book.standing(Leg.STOP)) == len(executor.book.standing(Leg.STOP_BACKSTOP)) == 1
    assert len(executor.book.standing(Leg.TRAILING)) == 1
    held = carry_on(executor, held, times=2)
    assert not held.is_to_be_reduced


def test_step_that_has_grown_is_read_before_the_order_is_sent_again(executor: Harness) -> None:
    held = executor.open()
    executor.advance(1)
    executor.account.change_filters(market_step_size=Decimal("0.01"))
    executor.handle(executor.queue_reduction("0.5"))
    held = carry_on(executor, held)
    assert executor.book.position == Decimal("0.370")
    assert not held.is_to_be_reduced


@pytest.mark.parametrize("error", [AddressBanned("banned", retry_after_s=5), ExchangeUnavailable("down")])
def test_unreachable_exchange_leaves_the_reduction_to_a_later_worker(executor: Harness, error: Exception) -> None:
    held = executor.open()
    executor.advance(1)
    executor.account.fail("open_orders", error)
    assert executor.handle(executor.queue_reduction("0.5")).reason == Reason.APPLIED
    held = executor.now(held)
    assert held.is_to_be_reduced
    assert held.due_at is not None
    assert held.due_at <= utc_now() + timedelta(seconds=10)
    carry_on(executor, held)
    assert_halved(executor, held)


@pytest.mark.rings("AttentionAlarm")
def test_refused_key_leaves_the_reduction_on_record(executor: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    held = executor.open()
    executor.advance(1)
    alert = executor.queue_reduction("0.5")

    async def no_access(*_: object, **__: object) -> None:
        raise ExchangeAuthorizationFailed("refused", code=-2015)

    with monkeypatch.context() as patched:
        patched.setattr(account_cache, "account_of", no_access)
        assert executor.handle(alert).reason == Reason.APPLIED
        executor.advance(5)
        executor.handle(held, Command.RECONCILE)
    carry_on(executor, held)
    assert_halved(executor, held)


def test_owners_part_is_not_sold(executor: Harness) -> None:
    held = executor.open()
    executor.advance(1)
    executor.book.trade_as_owner(Side.BUY, "0.2")
    executor.handle(executor.queue_reduction("0.5"))
    assert executor.book.position == HALF + Decimal("0.2")
    assert reduced_by(executor, held) == [HALF]


def test_same_side_again_after_a_reduction_is_still_in_position(executor: Harness) -> None:
    held = executor.open()
    executor.advance(1)
    executor.handle(executor.queue_reduction("0.5"))
    executor.advance(1)
    assert executor.handle(executor.queue()).reason == DenialReason.ALREADY_IN_POSITION
    assert_halved(executor, held)


def test_reduction_of_another_strategys_position_on_the_key_does_nothing(executor: Harness) -> None:
    executor.open()
    other = saved(executor.another_follower())
    executor.advance(1)
    alert = executor.queue_reduction("0.5")
    alert.update(actions=[Execution.follower_id.set(other.id)])
    assert executor.handle(alert).reason == Reason.NOTHING_TO_REDUCE
    assert executor.book.position == ENTERED
