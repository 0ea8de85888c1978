"""An exit alert closes what is older than itself, however late it comes and whatever forbids an entry."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from itertools import permutations

import pytest

from functions.order_executor import account_cache, booking
from shared.clock import utc_now
from shared.errors import AddressBanned, ExchangeAuthorizationFailed, ExchangeRejected, SecretUnreadable
from shared.messages import Command
from shared.models.execution import Execution
from shared.models.follower import Follower
from shared.models.plan import Plan
from shared.models.trigger import Trigger
from shared.models.user import User
from shared.scheduling import RECHECK_S, is_due_for_dead_man
from shared.trading.execution import CloseReason, DenialReason, Desired, ExecutionState, Reason
from shared.trading.ids import Leg
from shared.trading.order_planning import plan_entry
from shared.trading.sides import Side, TriggerAction
from tests.builders import saved
from tests.unit.functions.order_executor.harness import Crash, Harness

LONG_AGO = timedelta(days=3)


def answer(exit_alert: Execution) -> tuple[ExecutionState, str | None, str | None]:
    return exit_alert.state, exit_alert.reason, exit_alert.detail


@pytest.mark.parametrize("side", list(Side))
def test_exit_closes_the_position_and_ends_with_its_answer(executor: Harness, side: Side) -> None:
    held = executor.open(side)
    executor.advance(1)

    close = executor.handle(executor.queue_close())

    assert answer(close) == (ExecutionState.DONE, Reason.APPLIED, held.id)
    held = executor.now(held)
    assert (held.state, held.close_reason) == (ExecutionState.CLOSED, CloseReason.EXIT_ALERT)
    assert executor.book.position == 0
    assert executor.book.standing() == []
    assert not Trigger.get(close.trigger_id).active


def test_exit_without_a_position_says_so_and_asks_the_exchange_nothing(executor: Harness) -> None:
    close = executor.handle(executor.queue_close())

    assert answer(close) == (ExecutionState.DONE, Reason.NOTHING_TO_CLOSE, None)
    assert executor.account.requests == []


def test_exit_that_comes_days_late_closes_what_is_older_than_itself(executor: Harness) -> None:
    fired_at = utc_now()
    held = executor.open(fired_at=fired_at)
    executor.clock.advance(LONG_AGO.total_seconds())

    close = executor.handle(executor.queue_close(fired_at=fired_at + timedelta(seconds=1)))

    assert close.reason == Reason.APPLIED
    assert executor.now(held).close_reason == CloseReason.EXIT_ALERT


@pytest.mark.parametrize("fired_s", [-1, 0, 0.9])
def test_exit_never_closes_what_a_newer_entry_or_one_of_its_second_has_opened(
    executor: Harness, fired_s: float
) -> None:
    fired_at = utc_now().replace(microsecond=0)
    held = executor.open(fired_at=fired_at)
    standing = executor.book.standing()
    executor.advance(20)

    close = executor.handle(executor.queue_close(fired_at=fired_at + timedelta(seconds=fired_s)))

    assert answer(close) == (ExecutionState.DONE, Reason.NOTHING_TO_CLOSE, None)
    assert (executor.now(held).state, executor.now(held).desired) == (ExecutionState.PROTECTED, Desired.OPEN)
    assert executor.book.standing() == standing


def test_exit_of_another_strategy_on_the_same_key_closes_nothing(executor: Harness) -> None:
    held = executor.open()
    other = saved(executor.another_follower())
    executor.advance(1)

    close = executor.handle(executor.queue_close(follower=other))

    assert close.reason == Reason.NOTHING_TO_CLOSE
    assert executor.now(held).state is ExecutionState.PROTECTED


def test_no_guard_denies_an_exit(executor: Harness) -> None:
    held = executor.open()
    executor.advance(1)
    close = executor.queue_close()
    executor.follower.update(actions=[Follower.active.set(False)])
    executor.user.update(actions=[User.active.set(False)])
    executor.plan.update(actions=[Plan.strategy_automated.set(False)])

    assert executor.handle(close).reason == Reason.APPLIED
    assert executor.now(held).close_reason == CloseReason.EXIT_ALERT


def test_entry_that_is_older_than_an_exit_opens_nothing_although_its_worker_comes_later(executor: Harness) -> None:
    entry = executor.queue()
    executor.advance(2)
    close = executor.queue_close()

    assert executor.handle(close).reason == Reason.NOTHING_TO_CLOSE
    assert executor.handle(entry).reason == DenialReason.SUPERSEDED
    assert executor.book.position == 0


def alert_of(executor: Harness, side: Side | None, fired_at: datetime, *, overtaken: bool) -> Execution:
    if side is None:
        return executor.queue_close(fired_at=fired_at)
    return executor.queue(side, fired_at=fired_at, overtaken=overtaken)


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_entry_exit_and_entry_in_any_order_and_twice_end_short_or_flat(
    executor: Harness, order: tuple[int, ...]
) -> None:
    begin = utc_now()
    executor.advance(20)
    alerts = [(Side.BUY, begin), (None, begin + timedelta(seconds=5)), (Side.SELL, begin + timedelta(seconds=10))]
    handled = []
    for place, number in enumerate(order):
        side, fired_at = alerts[number]
        overtaken = any(alerts[other][1] > fired_at for other in order[:place])
        handled.append(executor.handle(alert_of(executor, side, fired_at, overtaken=overtaken)))
        executor.advance(1)
    for execution in handled:
        executor.handle(execution)

    short = executor.now(next(one for one in handled if one.side is Side.SELL))
    assert short.state is ExecutionState.PROTECTED
    assert executor.book.position == -(short.filled_amount or 0)
    assert len(executor.book.standing(Leg.STOP)) == 1


# -- an entry that has not shown at the exchange ----------------------------------------------------------------------


def fill_late(executor: Harness, execution: Execution) -> None:
    """Let the exchange carry out the execution's lost entry after all."""
    entry = executor.orders(execution, Leg.ENTRY)[-1]
    planned = plan_entry(side=execution.side, amount=entry.amount or Decimal(0), bound=Decimal(20010))
    executor.book.carry_out(planned, entry.client_order_id)


def test_exit_after_a_proven_absence_has_nothing_to_close_and_a_late_fill_is_still_flattened(executor: Harness) -> None:
    absent = executor.crash("place", Leg.ENTRY, done=False)
    executor.advance(120)
    absent = executor.reconcile(absent)
    assert absent.state is ExecutionState.ENTRY_UNKNOWN

    close = executor.handle(executor.queue_close())

    assert answer(close) == (ExecutionState.DONE, Reason.NOTHING_TO_CLOSE, None)
    assert executor.now(absent).desired is Desired.OPEN
    fill_late(executor, absent)
    assert executor.reconcile(absent).state is ExecutionState.CLOSED
    assert executor.book.position == 0
    assert executor.book.standing() == []


def test_exit_while_the_entry_is_unknown_sends_it_no_more_and_a_late_fill_is_still_flattened(executor: Harness) -> None:
    absent = executor.crash("place", Leg.ENTRY, done=False)
    executor.advance(1)

    close = executor.handle(executor.queue_close())

    assert answer(close) == (ExecutionState.DONE, Reason.APPLIED, absent.id)
    absent = executor.now(absent)
    assert (absent.state, absent.desired) == (ExecutionState.ENTRY_UNKNOWN, Desired.CLOSED)
    assert executor.account.count("place ENTRY") == 1
    fill_late(executor, absent)
    assert executor.reconcile(absent).state is ExecutionState.CLOSED
    assert executor.book.position == 0
    assert executor.book.standing() == []


def test_next_entry_ends_the_watch_that_an_exit_has_left(executor: Harness) -> None:
    absent = executor.crash("place", Leg.ENTRY, done=False)
    executor.advance(1)
    executor.handle(executor.queue_close())
    executor.advance(1)

    executor.open()

    assert executor.now(absent).state is ExecutionState.CLOSED


# -- what goes wrong on the way --------------------------------------------------------------------------------------


@pytest.mark.parametrize("done", [True, False])
def test_crash_in_the_midst_of_the_close_is_finished_by_the_next_worker(executor: Harness, done: bool) -> None:
    held = executor.open()
    executor.advance(1)
    close = executor.queue_close()
    executor.sent.bodies.clear()
    executor.account.fail("place", Crash(), leg=Leg.CLOSE, done_after_s=0.0 if done else None)
    with pytest.raises(Crash):
        executor.handle(close)
    assert answer(executor.now(close)) == (ExecutionState.DONE, Reason.APPLIED, held.id)
    held = executor.now(held)
    assert held.desired is Desired.CLOSED
    assert executor.sent.take_delays_of(held) == [RECHECK_S]
    executor.advance(RECHECK_S)
    assert is_due_for_dead_man(held.due_at, utc_now())

    executor.handle(held, Command.RECONCILE)
    close = executor.handle(close, Command.RECONCILE)

    assert answer(close) == (ExecutionState.DONE, Reason.APPLIED, held.id)
    assert executor.now(held).close_reason == CloseReason.EXIT_ALERT
    assert executor.book.position == 0
    assert executor.book.standing() == []


def test_crash_after_the_close_leaves_the_exit_applied(executor: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    held = executor.open()
    executor.advance(1)
    close = executor.queue_close()
    finish = booking.finish

    def crash(execution: Execution) -> None:
        finish(execution)
        if execution.id == held.id:
            raise Crash

    with monkeypatch.context() as patched:
        patched.setattr(booking, "finish", crash)
        with pytest.raises(Crash):
            executor.handle(close)
    executor.advance(60)

    close = executor.handle(close)

    assert answer(close) == (ExecutionState.DONE, Reason.APPLIED, held.id)
    assert executor.now(held).close_reason == CloseReason.EXIT_ALERT
    assert not Trigger.get(close.trigger_id).active


def test_banned_lane_leaves_the_close_to_the_position_which_is_tried_again(executor: Harness) -> None:
    held = executor.open()
    executor.advance(1)
    executor.account.fail("open_orders", AddressBanned("banned", retry_after_s=5))

    close = executor.handle(executor.queue_close())

    assert close.reason == Reason.APPLIED
    held = executor.now(held)
    assert (held.desired, held.state) == (Desired.CLOSED, ExecutionState.CLOSING)
    assert held.due_at is not None
    assert held.due_at <= utc_now() + timedelta(seconds=10)
    executor.advance(10)
    executor.handle(held, Command.RECONCILE)
    assert executor.now(held).close_reason == CloseReason.EXIT_ALERT


def test_refused_close_keeps_the_stop_and_stays_requested(executor: Harness) -> None:
    held = executor.open()
    executor.advance(1)
    executor.account.fail("place", ExchangeRejected("refused", code=-1111), leg=Leg.CLOSE, times=99)

    close = executor.handle(executor.queue_close())

    assert close.reason == Reason.APPLIED
    assert executor.now(held).state is ExecutionState.CLOSING
    assert len(executor.book.standing(Leg.STOP)) == 1


@pytest.mark.parametrize("error", [SecretUnreadable("no key"), ExchangeAuthorizationFailed("refused", code=-2015)])
@pytest.mark.rings("AttentionAlarm")
def test_without_access_the_close_is_on_record_and_tried_again_soon_however_old_the_position_is(
    executor: Harness, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    held = executor.open()
    executor.advance(LONG_AGO.total_seconds())
    close = executor.queue_close()
    executor.sent.bodies.clear()

    async def no_access(*_: object, **__: object) -> None:
        raise error

    with monkeypatch.context() as patched:
        patched.setattr(account_cache, "account_of", no_access)
        assert executor.handle(close).reason == Reason.APPLIED
        assert executor.now(held).desired is Desired.CLOSED
        assert executor.sent.take_delays_of(held) == [5]
        executor.advance(5)
        executor.handle(held, Command.RECONCILE)
        assert executor.sent.take_delays_of(held) == [RECHECK_S]
    executor.advance(RECHECK_S)
    executor.handle(held, Command.RECONCILE)
    assert executor.now(held).close_reason == CloseReason.EXIT_ALERT


def test_exit_of_a_key_that_is_deleted_has_nothing_to_close(executor: Harness) -> None:
    close = executor.queue_close()
    executor.key.delete()

    assert executor.handle(close).reason == Reason.NOTHING_TO_CLOSE


def test_exit_has_no_signal(executor: Harness) -> None:
    close = executor.queue_close()
    assert (close.action, close.opens) == (TriggerAction.CLOSE, False)
    assert all(value is None for value in (close.side, close.order_price, close.stop, close.stop_type))
