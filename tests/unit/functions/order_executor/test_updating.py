"""An update moves the stop of what is older than itself towards the market, and says where it does not."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from decimal import Decimal
from itertools import permutations
from typing import Any

import pytest

from functions.order_executor import account_cache, recheck, waiting
from functions.position_watcher.looks import may_wait
from shared.clock import utc_now
from shared.errors import ExchangeAuthorizationFailed, LockstepError, OutcomeUnknown, StopWouldTrigger
from shared.exchange import lanes
from shared.exchange.gate import Work
from shared.exchange.server_clock import server_clock
from shared.messages import Command
from shared.models.egress_lane import EgressLane
from shared.models.execution import Execution
from shared.models.strategy_alerts import RecentExit, StrategyAlerts
from shared.models.trigger import Trigger
from shared.scheduling import RECHECK_S
from shared.trading.execution import CloseReason, ExecutionState, Reason
from shared.trading.exits import Exit
from shared.trading.ids import STOP_LEGS, Leg
from shared.trading.place import PlaceInTime
from shared.trading.sides import Side, StopType, TriggerAction
from shared.trading.updates import Requested, Update
from tests.unit.functions.order_executor.harness import Crash, Harness, harness

BREAKEVEN = Decimal("20020.1")
FIRST = {Side.BUY: Decimal(19800), Side.SELL: Decimal(20200)}


def answer(update: Execution) -> tuple[ExecutionState, str | None, str | None]:
    return update.state, update.reason, update.detail


def stops(executor: Harness) -> list[Decimal | None]:
    """Return the trigger prices of the standing stops, the backstop last."""
    return [view.trigger_price for leg in STOP_LEGS for view in executor.book.standing(leg)]


def opened(executor: Harness, side: Side = Side.BUY, **trigger: Any) -> Execution:
    execution = executor.open(side, **trigger)
    executor.account.naked_after.clear()
    executor.advance(1)
    return execution


def update(executor: Harness, **trigger: Any) -> Execution:
    return executor.handle(executor.queue_update(**trigger))


@pytest.mark.parametrize(("side", "level"), [(Side.BUY, "19900"), (Side.SELL, "20100")])
def test_stop_moves_to_the_price_of_the_update_at_once(executor: Harness, side: Side, level: str) -> None:
    held = opened(executor, side)

    answered = update(executor, stop=Decimal(level))

    assert answer(answered) == (ExecutionState.DONE, Reason.APPLIED, held.id)
    assert stops(executor) == [Decimal(level)]
    assert executor.now(held).state is ExecutionState.PROTECTED
    assert executor.account.naked_after == []
    assert not Trigger.get(answered.trigger_id).active


def test_limit_stop_moves_with_its_backstop(executor: Harness) -> None:
    opened(executor, stop_type=StopType.LIMIT)
    update(executor, stop=Decimal(19900))
    assert stops(executor) == [Decimal(19900), Decimal("19833.3")]
    assert executor.account.naked_after == []


def test_stop_moves_to_break_even_on_request(executor: Harness) -> None:
    held = opened(executor)
    executor.book.move_price(20100)
    assert answer(update(executor, stop_at_breakeven=True)) == (ExecutionState.DONE, Reason.APPLIED, held.id)
    assert stops(executor) == [BREAKEVEN]


def test_target_of_the_update_takes_the_place_of_the_entrys(executor: Harness) -> None:
    held = opened(executor, breakeven_after=3)
    assert answer(update(executor, breakeven_after=1)) == (ExecutionState.DONE, Reason.APPLIED, held.id)
    assert stops(executor) == [FIRST[Side.BUY]]
    executor.book.move_price(20200)
    executor.reconcile(held)
    assert stops(executor) == [BREAKEVEN]
    assert executor.account.naked_after == []


# -- what an update does not do ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        ({"stop": Decimal(19800)}, Reason.STOP_NOT_TIGHTER),
        ({"stop": Decimal(19700)}, Reason.STOP_NOT_TIGHTER),
        ({"stop": Decimal(20000)}, Reason.STOP_PASSED),
        ({"stop": Decimal(20500)}, Reason.STOP_PASSED),
        ({"stop_at_breakeven": True}, Reason.STOP_PASSED),
    ],
)
def test_stop_that_is_not_between_the_present_one_and_the_market_changes_nothing(
    executor: Harness, asked: dict[str, Any], reason: Reason
) -> None:
    held = opened(executor)
    book = executor.book.copy()

    assert answer(update(executor, **asked)) == (ExecutionState.DONE, reason, None)

    assert executor.book == book
    assert executor.now(held).revision == held.revision


def test_update_without_a_position_says_so_and_asks_the_exchange_nothing(executor: Harness) -> None:
    assert answer(update(executor, stop=Decimal(19900))) == (ExecutionState.DONE, Reason.NOTHING_TO_UPDATE, None)
    assert executor.account.requests == []


def test_late_update_leaves_what_a_newer_alert_has_opened(executor: Harness) -> None:
    fired_at = utc_now()
    executor.advance(5)
    opened(executor)
    late = update(executor, stop=Decimal(19900), fired_at=fired_at)
    assert late.reason == Reason.NOTHING_TO_UPDATE
    assert stops(executor) == [FIRST[Side.BUY]]


def test_update_for_the_other_side_leaves_the_position(executor: Harness) -> None:
    opened(executor)
    assert update(executor, stop=Decimal(19900), position_side=Side.SELL).reason == Reason.NOTHING_TO_UPDATE
    assert update(executor, stop=Decimal(19900), position_side=Side.BUY).reason == Reason.APPLIED


def test_position_that_is_to_be_closed_is_not_updated(executor: Harness) -> None:
    held = opened(executor)
    executor.request_close(held)
    assert update(executor, stop=Decimal(19900)).reason == Reason.NOTHING_TO_UPDATE


# -- in part -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stop", "refused"), [(20000, Reason.STOP_PASSED), (19700, Reason.STOP_NOT_TIGHTER), (19900, None)]
)
def test_answer_names_the_part_of_an_update_that_was_refused(
    executor: Harness, stop: int, refused: Reason | None
) -> None:
    held = opened(executor)
    detail = held.id if refused is None else f"{held.id}; refused: {refused}"
    answered = update(executor, stop=Decimal(stop), breakeven_after=1)
    assert answer(answered) == (ExecutionState.DONE, Reason.APPLIED, detail)
    assert executor.now(held).breakeven_after == 1


@pytest.mark.parametrize("stop", [19900, 19700])
def test_delivery_after_a_crash_answers_as_the_first_would_have_although_a_look_has_moved_the_stop(
    executor: Harness, monkeypatch: pytest.MonkeyPatch, stop: int
) -> None:
    held = opened(executor)
    asked = executor.queue_update(stop=Decimal(stop), breakeven_after=1)
    with monkeypatch.context() as crashing:
        crashing.setattr(recheck, "schedule_recheck", crash)
        with pytest.raises(Crash):
            executor.handle(asked)
    executor.advance(130)
    executor.reconcile(held)
    moved = stop > FIRST[Side.BUY]
    assert stops(executor) == [Decimal(stop) if moved else FIRST[Side.BUY]]

    detail = held.id if moved else f"{held.id}; refused: {Reason.STOP_NOT_TIGHTER}"
    assert answer(executor.handle(asked)) == (ExecutionState.DONE, Reason.APPLIED, detail)


async def crash(*_: Any, **__: Any) -> None:
    raise Crash


# -- a busy lane -------------------------------------------------------------------------------------------------------


def use_lane(used: int) -> None:
    lanes.limiter_of(lanes.DEFAULT_LANE).record_usage(used, asked_at_ms=server_clock.now_ms())


def test_stop_moves_at_once_on_a_lane_that_is_too_busy_for_looks(executor: Harness) -> None:
    opened(executor)
    use_lane(lanes.limiter_of(lanes.DEFAULT_LANE).weight.budget().cap(Work.ENTRY))
    update(executor, stop=Decimal(19900))
    assert stops(executor) == [Decimal(19900)]


def test_update_that_meets_a_full_lane_is_carried_out_as_soon_as_the_lane_has_weight(executor: Harness) -> None:
    held = opened(executor)
    executor.advance(600)  # the update is new, however old the position is
    executor.reconcile(held)
    use_lane(2_400)
    executor.sent.bodies.clear()

    assert update(executor, stop=Decimal(19900)).reason == Reason.APPLIED

    held = executor.now(held)
    assert stops(executor) == [FIRST[Side.BUY]]
    assert not may_wait(held)  # the watcher's next run takes it, whatever it has of other looks
    assert held.due_at is not None
    wait_s = (held.due_at - utc_now()).total_seconds()
    next_minute_s = 60 - utc_now().timestamp() % 60
    assert wait_s <= next_minute_s + 4
    executor.advance(wait_s + 1)
    held = executor.handle(held, Command.RECONCILE)
    assert stops(executor) == [Decimal(19900)]
    assert may_wait(held)


def test_update_waits_from_its_request_not_from_the_protection_of_its_position(executor: Harness) -> None:
    held = opened(executor)
    executor.advance(3_600)
    executor.account.fail("position_amount", OutcomeUnknown("no answer"))
    update(executor, stop=Decimal(19900))
    held = executor.now(held)
    assert held.work_since is not None
    assert held.due_at is not None
    assert (utc_now() - held.work_since).total_seconds() < 1
    assert (held.due_at - utc_now()).total_seconds() <= RECHECK_S


_WEIGHT = {
    "position_amount": 5,
    "open_orders": 2,
    "find_order": 1,
    "cancel": 1,
    "recent_price": 3,
    "place": 0,
    "fills": 5,
}


@pytest.mark.parametrize("stop_type", list(StopType))
@pytest.mark.parametrize("targets", [[], [Decimal(20500), Decimal(20600)]], ids=["stop alone", "targets too"])
def test_gate_holds_at_least_what_an_update_uses(
    executor: Harness, stop_type: StopType, targets: list[Decimal]
) -> None:
    held = opened(executor, stop_type=stop_type)
    asked = Update(stop=Decimal(19900), take_profits=tuple(targets))
    changes = held.changes_for(Requested.of(asked, executor.queue_update(stop=Decimal(19900)).place))
    changes["update_requested_at"] = utc_now()
    executor.now(held).change(**changes)
    request = waiting._request_of(executor.ledger(held), for_entry=False)
    executor.account.requests.clear()

    executor.reconcile(held)

    assert stops(executor)[0] == Decimal(19900)
    used = sum(_WEIGHT[one.split()[0]] for one in executor.account.requests if one != "price_of_asset")
    assert request is not None
    assert request.work is Work.CLOSE
    assert used <= request.weight <= used + 15


def test_price_is_the_one_that_accounts_of_a_container_share(executor: Harness) -> None:
    opened(executor)
    update(executor, stop=Decimal(19900))
    assert executor.account.count("market_price") == 0
    assert executor.account.count("recent_price") == 2


# -- several -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", list(permutations(["19850", "19950", "19900"])))
def test_nearest_stop_wins_in_whatever_order_updates_come(executor: Harness, order: tuple[str, ...]) -> None:
    opened(executor)
    fired_at = utc_now()
    executor.advance(2)

    answers = [update(executor, stop=Decimal(price), fired_at=fired_at).reason for price in order]

    assert stops(executor) == [Decimal(19950)]
    best = Decimal(0)
    for price, reason in zip(order, answers, strict=True):
        assert reason == (Reason.APPLIED if Decimal(price) > best else Reason.STOP_NOT_TIGHTER)
        best = max(best, Decimal(price))
    assert executor.account.naked_after == []


def test_second_update_of_the_same_stop_sends_nothing(executor: Harness) -> None:
    opened(executor)
    update(executor, stop=Decimal(19900))
    book = executor.book.copy()
    assert update(executor, stop=Decimal(19900)).reason == Reason.STOP_NOT_TIGHTER
    assert executor.book == book


def test_break_even_after_a_target_never_moves_an_updated_stop_back(executor: Harness) -> None:
    held = opened(executor, breakeven_after=1)
    executor.book.move_price(20150)
    update(executor, stop=Decimal(20100))
    executor.book.move_price(20200)
    executor.reconcile(held)
    assert stops(executor) == [Decimal(20100)]


# -- before the entry --------------------------------------------------------------------------------------------------


def remember(executor: Harness, asked: Update) -> None:
    """Record an update that was accepted a moment before its entry's execution is worked on."""
    at = utc_now()
    place = PlaceInTime.of_trigger(TriggerAction.UPDATE, fired_at=None, received_at=at, seq=99)
    recent = RecentExit(
        place=place, exit=Exit(TriggerAction.UPDATE, update=asked), trigger_id="", fingerprint="", received_at=at
    )
    alerts = StrategyAlerts.get(executor.strategy.id)
    alerts.recent_exits = [recent.to_json()]
    alerts.save()


def test_update_that_overtakes_its_entry_moves_the_stop_by_the_next_look(executor: Harness) -> None:
    execution = executor.queue(Side.BUY)
    executor.advance(1)
    remember(executor, Update(stop=Decimal(19900), breakeven_after=1))

    execution = executor.handle(execution)

    assert stops(executor) == [FIRST[Side.BUY]]
    assert executor.sent.take_delays_of(execution)[-1] <= RECHECK_S
    execution = executor.reconcile(execution)
    assert stops(executor) == [Decimal(19900)]
    assert execution.watched_exits() is not None
    executor.book.move_price(20200)
    executor.reconcile(execution)
    assert stops(executor) == [BREAKEVEN]


def test_update_before_the_entry_whose_stop_the_market_has_passed_is_given_up(executor: Harness) -> None:
    execution = executor.queue(Side.BUY)
    executor.advance(1)
    remember(executor, Update(stop=Decimal(20050)))
    execution = executor.handle(execution)
    for _ in range(2):
        execution = executor.reconcile(execution)
    assert stops(executor) == [FIRST[Side.BUY]]
    assert execution.stop_requested is None
    assert execution.watched_exits() is not None


# -- faults ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stop_type", list(StopType))
@pytest.mark.parametrize(("error", "done"), [(Crash(), False), (Crash(), True), (OutcomeUnknown("no answer"), True)])
def test_fault_at_any_request_leaves_the_position_guarded_and_the_stop_arrives(
    tables: object, stop_type: StopType, error: Exception, done: bool
) -> None:
    for requests_before in range(40):
        for lane in EgressLane.scan():
            lane.delete()  # the clock begins anew
        with harness() as executor:
            held = opened(executor, stop_type=stop_type)
            asked = executor.queue_update(stop=Decimal(19900))
            executor.account.skip("any", requests_before)
            executor.account.fail("any", error, done_after_s=0.0 if done else None)
            with contextlib.suppress(Crash, LockstepError):
                executor.handle(asked)
            struck = not executor.account.has_faults
            executor.account.clear_faults()
            executor.advance(130)
            assert executor.handle(asked).reason == Reason.APPLIED
            for _ in range(3):
                executor.advance(15)
                executor.reconcile(held)
            backstop = [Decimal("19833.3")] if stop_type is StopType.LIMIT else []
            assert stops(executor) == [Decimal(19900), *backstop]
            assert executor.account.naked_after == []
        if not struck:
            break
    else:
        pytest.fail("the update did not end within forty requests")


def test_stop_that_the_exchange_refuses_is_given_up_and_the_old_one_stays(executor: Harness) -> None:
    held = opened(executor)
    executor.account.fail("place", StopWouldTrigger("", code=-2021), leg=Leg.STOP)
    update(executor, stop=Decimal(19900))
    held = executor.reconcile(held)
    assert stops(executor) == [FIRST[Side.BUY]]
    assert held.state is ExecutionState.PROTECTED
    assert held.stop_requested is None
    assert held.stop_moved_to is None


def test_update_of_a_refused_key_is_on_record_and_carried_out_later(
    executor: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = opened(executor)
    with monkeypatch.context() as refused:
        refused.setattr(account_cache, "account_of", refuse)
        assert update(executor, stop=Decimal(19900)).reason == Reason.APPLIED
    assert stops(executor) == [FIRST[Side.BUY]]
    executor.advance(10)
    executor.handle(held, Command.RECONCILE)
    assert stops(executor) == [Decimal(19900)]


async def refuse(*_: Any, **__: Any) -> None:
    raise ExchangeAuthorizationFailed("refused", code=-2015)


@pytest.mark.parametrize("act", [lambda book: book.move_price(19890), lambda book: book.move_price(19780)])
def test_market_that_falls_through_the_updated_stop_closes_the_position(
    executor: Harness, act: Callable[[Any], None]
) -> None:
    held = opened(executor)
    update(executor, stop=Decimal(19900))
    act(executor.book)
    executor.advance(30)
    held = executor.reconcile(held)
    assert (held.state, held.close_reason) == (ExecutionState.CLOSED, CloseReason.STOP)
    assert executor.book.standing() == []
