"""A position with an unfinished order is looked at again within seconds, and not when its next look would be due."""

from __future__ import annotations

import random
from decimal import Decimal
from typing import Any

import pytest

from functions.order_executor import waiting
from shared.clock import utc_now
from shared.errors import ExchangeError, ExchangeRejected, ExchangeThrottled, ExchangeUnavailable, OutcomeUnknown
from shared.exchange import lanes
from shared.exchange.gate import Work
from shared.exchange.lanes import DEFAULT_LANE
from shared.exchange.server_clock import server_clock
from shared.models.execution import Execution
from shared.models.order import OrderStatus
from shared.scheduling import RECHECK_S, WATCH_INTERVAL_S
from shared.trading.execution import ExecutionState
from shared.trading.ids import STOP_LEGS, TAKE_PROFIT_LEGS, Leg
from shared.trading.order_planning import plan_entry
from tests.unit.functions.order_executor.harness import Harness, harness

WHOLE = Decimal("0.750")
TRAILING: dict[str, Any] = {"trailing_trigger": Decimal(45), "callback_rate": Decimal(2)}
TARGETS = (*TAKE_PROFIT_LEGS[:3], Leg.TRAILING)
ERRORS: list[ExchangeError] = [
    OutcomeUnknown("no answer"),
    ExchangeUnavailable("away"),
    ExchangeThrottled("too many", retry_after_s=1),
    ExchangeRejected("never", code=-2007),
]


def seconds_until_look(executor: Harness, execution: Execution) -> float:
    """Return in how many seconds the execution is due; the watcher waits with it for nothing else."""
    stored = executor.now(execution)
    assert stored.state is ExecutionState.PROTECTED
    assert stored.watched_exits() is None
    assert stored.due_at is not None
    return (stored.due_at - utc_now()).total_seconds()


def is_unfinished(executor: Harness, execution: Execution) -> bool:
    return any(order.status is OrderStatus.INTENDED for order in executor.orders(execution, *TARGETS))


@pytest.mark.parametrize("done", [False, True])
@pytest.mark.parametrize("leg", [Leg.TAKE_PROFIT_2, Leg.TRAILING])
def test_target_of_unknown_outcome_is_looked_up_soon_and_stands_once(executor: Harness, leg: Leg, done: bool) -> None:
    answers = 2 if leg is not Leg.TRAILING else 1
    executor.account.fail(
        "place", OutcomeUnknown("no answer"), leg=leg, times=answers, done_after_s=0 if done else None
    )
    executor.account.fail("find_order", ExchangeUnavailable("away"), leg=leg, times=2)

    execution = executor.open(**TRAILING)

    assert is_unfinished(executor, execution)
    assert 0 < seconds_until_look(executor, execution) <= RECHECK_S
    assert executor.sent.take_delays_of(execution)[-1] == RECHECK_S
    executor.account.clear_faults()
    executor.advance(RECHECK_S)
    execution = executor.reconcile(execution)
    assert len(executor.book.standing(leg)) == 1
    assert execution.watched_exits() is not None
    assert executor.sent.take_delays_of(execution) == []


@pytest.mark.parametrize("seed", range(12))
def test_position_has_every_target_once_or_is_looked_at_soon(tables: object, seed: int) -> None:
    dice = random.Random(seed)  # noqa: S311 - the same course in every run
    with harness() as executor:
        for leg in TARGETS:
            error = dice.choice(ERRORS)
            done = dice.choice([None, 0.0, 0.05]) if isinstance(error, OutcomeUnknown) else None
            executor.account.fail("place", error, leg=leg, times=dice.randrange(4), done_after_s=done)
            executor.account.fail("find_order", dice.choice(ERRORS[:3]), leg=leg, times=dice.randrange(3))
        execution = executor.open(**TRAILING)
        for _ in range(20):
            if not is_unfinished(executor, execution):
                break
            pause_s = seconds_until_look(executor, execution)
            assert 0 < pause_s <= WATCH_INTERVAL_S
            executor.advance(pause_s)
            execution = executor.reconcile(execution)
        assert execution.watched_exits() is not None
        assert executor.book.guarded
        for leg in TARGETS:
            (order,) = executor.orders(execution, leg)
            standing = len(executor.book.standing(leg))
            assert (order.status, standing) in {(OrderStatus.OPEN, 1), (OrderStatus.REJECTED, 0)}


def test_looks_for_an_order_that_stays_unfinished_become_rarer_up_to_the_watchers_runs(executor: Harness) -> None:
    executor.account.fail("place", ExchangeUnavailable("away"), leg=Leg.TAKE_PROFIT_1, times=99)
    execution = executor.open()

    pauses: list[int] = []
    for _ in range(16):
        pauses.append(round(seconds_until_look(executor, execution)))
        executor.advance(pauses[-1])
        executor.reconcile(execution)

    assert pauses == sorted(pauses)
    assert (pauses[0], pauses[-1]) == (RECHECK_S, WATCH_INTERVAL_S)


def test_trailing_stop_that_was_found_active_is_sent_again_as_active(executor: Harness) -> None:
    executor.book.move_price(20050)
    executor.account.meanwhile("place", lambda: None, leg=Leg.TRAILING)  # the market refuses the first
    executor.account.fail("place", OutcomeUnknown("no answer"), leg=Leg.TRAILING)
    execution = executor.open(**TRAILING)
    assert executor.account.count("place TRAILING") == 2
    executor.book.move_price(20000)

    executor.advance(RECHECK_S)
    executor.reconcile(execution)

    (order,) = executor.orders(execution, Leg.TRAILING)
    assert order.status is OrderStatus.OPEN
    assert order.trigger_price is None
    assert executor.account.count("place TRAILING") == 3


def test_stop_that_held_anothers_place_and_is_not_seen_is_cancelled_soon(executor: Harness) -> None:
    execution = executor.open()
    (order,) = executor.orders(execution, Leg.STOP)
    order.trigger_price = Decimal(19850)
    order.save()
    executor.account.lag("find_order", reads=9)

    executor.reconcile(execution)

    assert len([view for leg in STOP_LEGS for view in executor.book.standing(leg)]) == 2
    assert 0 < seconds_until_look(executor, execution) <= RECHECK_S
    executor.advance(RECHECK_S)
    execution = executor.reconcile(execution)
    assert [view.close_position for view in executor.book.standing(Leg.STOP)] == [True]
    assert execution.watched_exits() is not None


def test_close_of_a_late_fill_is_looked_up_soon(executor: Harness) -> None:
    execution = executor.reconcile(executor.crash("place", Leg.ENTRY, done=False))
    execution = executor.reconcile(execution)
    first = executor.orders(execution, Leg.ENTRY)[0]
    executor.book.carry_out(plan_entry(side=execution.side, amount=WHOLE, bound=Decimal(20010)), first.client_order_id)
    executor.account.fail("place", OutcomeUnknown("no answer"), leg=Leg.FLATTEN)

    executor.reconcile(execution)

    assert executor.book.position == 2 * WHOLE
    assert 0 < seconds_until_look(executor, execution) <= RECHECK_S
    executor.advance(RECHECK_S)
    executor.reconcile(execution)
    assert executor.book.position == WHOLE


def test_targets_that_no_filters_could_be_had_for_are_looked_at_soon(executor: Harness) -> None:
    execution = executor.crash("place", Leg.ENTRY, done=True)
    executor.account.cached_filters = None
    executor.account.fail("exchange_info", ExchangeUnavailable("away"), times=99)

    executor.reconcile(execution)

    assert executor.book.standing(*TAKE_PROFIT_LEGS) == []
    assert 0 < seconds_until_look(executor, execution) <= RECHECK_S


def test_target_that_filters_refuse_is_not_sent_again_before_they_are_read(executor: Harness) -> None:
    execution = executor.crash("place", Leg.ENTRY, done=True)
    executor.account.cached_filters = executor.account.symbol_filters
    executor.account.change_filters(step_size=Decimal("0.1"))
    executor.account.fail("exchange_info", ExchangeUnavailable("away"), times=99)
    executor.advance(20)
    for _ in range(3):
        execution = executor.reconcile(execution)
        executor.advance(1)
    assert executor.account.count("place TAKE_PROFIT_1") == 1
    assert 0 < seconds_until_look(executor, execution) <= RECHECK_S

    executor.account.clear_faults()
    executor.reconcile(execution)

    standing = [executor.book.standing(leg) for leg in TAKE_PROFIT_LEGS[:3]]
    assert all(view.amount % Decimal("0.1") == 0 for views in standing for view in views)
    assert any(standing)


def test_look_at_an_unfinished_order_needs_no_slack_of_its_lane(executor: Harness) -> None:
    executor.account.fail("place", ExchangeUnavailable("away"), leg=Leg.TAKE_PROFIT_1, times=2)
    ledger, limiter = executor.ledger(executor.open()), lanes.limiter_of(DEFAULT_LANE)
    limiter.record_usage(limiter.weight.budget().cap(Work.LOOK), asked_at_ms=server_clock.now_ms())

    async def admit() -> None:
        async with waiting.admitted(ledger, DEFAULT_LANE):
            pass

    executor.run(admit())
