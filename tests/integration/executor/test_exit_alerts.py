"""An exit alert on its whole way: the webhook's service, the fan-out, the executor, the exchange."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import permutations
from typing import Any

import pytest

from functions.strategy_webhook.service import fire_strategy
from functions.trigger_fanout.service import fan_out
from shared.api.alert_json import parse_alert_json
from shared.clock import to_iso, utc_now
from shared.messages import Command, TriggerMessage
from shared.models.execution import Execution
from shared.models.strategy import Strategy
from shared.trading.execution import ExecutionState
from shared.trading.ids import execution_id
from shared.trading.sides import TriggerAction
from shared.worker import run_async
from tests import builders
from tests.builders import saved
from tests.integration.executor.test_crashed_workers import reconcile, start_worker
from tests.integration.executor.world import ORDER, Person, VenueAccount, World

SECRET = "a webhook secret"
ENTRY = {"orderPrice": "20000", "stopType": "market", "winRate": "NaN"}
BUY = ENTRY | {"type": "buy", "stop": "19800", "takeProfit": "20200"}
SELL = ENTRY | {"type": "sell", "stop": "20200", "takeProfit": "19800"}
HALF = {"type": "reduce", "keep": "50"}
MOST = {"type": "reduce", "keep": "80"}
MARKET = {"type": "MARKET", "reduceOnly": "true"}
FLAT = {"type": "sell", "position": "flat", "orderPrice": "20000", "stop": "NaN", "stopType": "NaN"}


@pytest.fixture
def followed(world: World) -> World:
    """Give the strategy a webhook secret, and store the followers' risk profile."""
    world.strategy.update(actions=[Strategy.webhook_secret_hash.set(hashlib.sha256(SECRET.encode()).hexdigest())])
    saved(builders.risk_profile("a profile"))
    return world


def fire(world: World, fields: dict[str, Any], *people: Person, fired_at: datetime) -> list[Execution]:
    """Send an alert's body down the road; return the followers' executions as they are stored then."""
    body = fields | {"strategy": world.strategy.id, "secret": SECRET, "firedAt": to_iso(fired_at)}
    acceptance = fire_strategy(parse_alert_json(json.dumps(body).encode()), received_at=utc_now())
    run_async(fan_out(TriggerMessage(acceptance.trigger_id, world.strategy.id), delivery="1"))
    executions = [Execution.get(execution_id(acceptance.trigger_id, person.record.id)) for person in people]
    assert world.deliver(*executions) == []
    return [world.stored(execution) for execution in executions]


def test_flat_closes_every_position_and_answers_each_follower(followed: World) -> None:
    holder, idle = followed.follower(), followed.follower()
    begin = utc_now() - timedelta(seconds=10)
    bought, other = fire(followed, BUY, holder, idle, fired_at=begin)
    assert [bought.state, other.state] == [ExecutionState.PROTECTED] * 2
    followed.trade_as_owner(idle, "SELL", str(other.filled_amount), reduceOnly="true")

    left, none_left = fire(followed, FLAT, holder, idle, fired_at=begin + timedelta(seconds=5))

    assert (left.state, left.reason, left.detail) == (ExecutionState.DONE, "APPLIED", bought.id)
    assert none_left.state is ExecutionState.DONE
    assert followed.stored(bought).close_reason == "EXIT_ALERT"
    assert [followed.account(person).flat for person in (holder, idle)] == [True, True]


@pytest.mark.parametrize("exit_first", [True, False])
def test_exit_and_entry_of_one_second_end_with_the_entry_whichever_comes_first(
    followed: World, exit_first: bool
) -> None:
    person = followed.follower()
    begin = utc_now() - timedelta(seconds=20)
    (bought,) = fire(followed, BUY, person, fired_at=begin)
    later = begin + timedelta(seconds=10)

    for fields in (FLAT, SELL) if exit_first else (SELL, FLAT):
        fire(followed, fields, person, fired_at=later)

    assert followed.stored(bought).state is ExecutionState.CLOSED
    account = followed.account(person)
    assert account.position < 0
    assert len(account.stops) == 1


def test_exit_that_comes_late_closes_nothing_of_a_newer_entry(followed: World) -> None:
    person = followed.follower()
    begin = utc_now() - timedelta(seconds=20)
    (bought,) = fire(followed, BUY, person, fired_at=begin)

    (late,) = fire(followed, FLAT, person, fired_at=begin - timedelta(hours=1))

    assert (late.state, late.reason) == (ExecutionState.DONE, "NOTHING_TO_CLOSE")
    assert followed.stored(bought).state is ExecutionState.PROTECTED


# -- reductions ------------------------------------------------------------------------------------------------------


def assert_halved(world: World, person: Person, execution: Execution, *, targets: int = 1) -> None:
    """Assert that half of the entry is left, with its stop and targets for no more, and that nothing more happens."""
    for _ in range(2):
        held, account = world.stored(execution), world.account(person)
        assert held.filled_amount is not None
        assert (held.state, held.is_to_be_reduced) == (ExecutionState.PROTECTED, False)
        assert account.position == held.filled_amount / 2
        assert len(account.stops) == 1
        assert [Decimal(one["origQty"]) for one in account.targets] == [account.position / targets] * targets
        assert world.deliver(execution, command=Command.RECONCILE) == []


def sold(account: VenueAccount) -> list[Decimal]:
    """Return what market orders have closed."""
    return [Decimal(one["executedQty"]) for one in account.fills_at_once if one["side"] == "SELL"]


@pytest.mark.parametrize("order", list(permutations([HALF, MOST, HALF])))
def test_reductions_in_any_order_and_again_leave_the_smallest_share(
    followed: World, order: tuple[dict[str, Any], ...]
) -> None:
    person = followed.follower()
    begin = utc_now() - timedelta(seconds=20)
    (bought,) = fire(followed, BUY, person, fired_at=begin)
    answers = [fire(followed, fields, person, fired_at=begin + timedelta(seconds=5))[0] for fields in order]

    assert {one.state for one in answers} == {ExecutionState.DONE}
    assert next(one for fields, one in zip(order, answers, strict=True) if fields is HALF).reason == "APPLIED"
    assert sum(sold(followed.account(person))) == Decimal("0.375")
    assert_halved(followed, person, bought)


def test_size_of_the_strategy_reduces_by_its_share_and_the_rest_is_booked_with_the_part(followed: World) -> None:
    person = followed.follower()
    begin = utc_now() - timedelta(seconds=20)
    (bought,) = fire(followed, BUY | {"position": "long", "positionSize": "4"}, person, fired_at=begin)
    part = FLAT | {"position": "long", "positionSize": "2"}
    (left,) = fire(followed, part, person, fired_at=begin + timedelta(seconds=5))
    assert (left.reason, left.detail) == ("APPLIED", bought.id)
    assert_halved(followed, person, bought)

    fire(followed, FLAT, person, fired_at=begin + timedelta(seconds=10))

    booked, account = followed.stored(bought), followed.account(person)
    assert (booked.state, booked.close_reason) == (ExecutionState.CLOSED, "EXIT_ALERT")
    assert booked.filled_amount == Decimal("0.75")
    assert account.flat
    assert booked.profit is not None
    assert booked.fee is not None
    # Every fee of the three orders is the follower's.
    assert account.wallet - Decimal("11507") == booked.profit
    assert booked.fee == Decimal("0.75") * 20000 * 2 * Decimal("0.0004")


def test_reduction_that_comes_before_its_entry_is_applied_to_it(followed: World) -> None:
    person = followed.follower()
    begin = utc_now() - timedelta(seconds=20)
    (early,) = fire(followed, HALF, person, fired_at=begin + timedelta(seconds=5))
    assert early.reason == "NOTHING_TO_REDUCE"
    (bought,) = fire(followed, BUY, person, fired_at=begin)
    assert_halved(followed, person, bought)


@pytest.mark.parametrize("kind", ["drop_after", "drop_before", "truncate"])
def test_reduce_order_without_an_answer_is_sent_once_in_effect(followed: World, kind: str) -> None:
    person = followed.follower()
    begin = utc_now() - timedelta(seconds=20)
    (bought,) = fire(followed, BUY, person, fired_at=begin)
    followed.plan_fault(person, kind, ORDER, parameters=MARKET)

    (left,) = fire(followed, HALF, person, fired_at=begin + timedelta(seconds=5))

    assert left.reason == "APPLIED"
    if followed.stored(bought).is_to_be_reduced:
        assert followed.deliver(bought, command=Command.RECONCILE) == []
    assert sold(followed.account(person)) == [Decimal("0.375")]
    assert_halved(followed, person, bought)


def test_reduction_of_a_killed_worker_is_completed_once_by_the_watcher(followed: World) -> None:
    person = followed.follower()
    begin = utc_now() - timedelta(seconds=20)
    (bought,) = fire(followed, BUY, person, fired_at=begin)
    reduction = followed.queue_execution(
        person,
        followed.trigger(
            action=TriggerAction.REDUCE,
            keep_share=Decimal("0.5"),
            seq=99,
            fired_at=begin + timedelta(seconds=5),
        ),
    )
    followed.plan_fault(person, "late", ORDER, parameters=MARKET, delayMs=1_000)
    worker = start_worker(reduction)
    followed.wait_until(lambda: followed.account(person).targets == [] or followed.stored(bought).is_to_be_reduced)
    followed.wait_until(lambda: followed.stored(reduction).state is ExecutionState.DONE)
    worker.kill()
    worker.wait()

    followed.wait_until_due(bought)
    followed.take_messages("orders")
    reconcile({"execution_id": bought.id})
    for message in followed.take_messages("orders"):
        followed.deliver(bought, command=Command(message["command"]))
    followed.wait_until(lambda: _reconciled(followed, bought))

    assert sold(followed.account(person)) == [Decimal("0.375")]
    assert_halved(followed, person, bought)


def _reconciled(world: World, execution: Execution) -> bool:
    world.deliver(execution, command=Command.RECONCILE)
    return not world.stored(execution).is_to_be_reduced


def test_target_that_fills_before_the_reduction_counts(followed: World) -> None:
    person = followed.follower()
    begin = utc_now() - timedelta(seconds=20)
    three = BUY | {"takeProfit": "NaN", "takeProfit1": "20200", "takeProfit2": "20300", "takeProfit3": "20400"}
    (bought,) = fire(followed, three, person, fired_at=begin)
    followed.exchange.move_price("20200")

    fire(followed, HALF, person, fired_at=begin + timedelta(seconds=5))

    account = followed.account(person)
    assert account.position == Decimal("0.375")
    assert sold(account) == [Decimal("0.125")]
    assert [Decimal(one["origQty"]) for one in account.targets] == [Decimal("0.187"), Decimal("0.188")]
    assert not followed.stored(bought).is_to_be_reduced


def test_standing_orders_leave_room_where_the_exchange_counts_them(followed: World) -> None:
    followed.exchange.set(refuse_overlapping_close=True)
    person = followed.follower()
    begin = utc_now() - timedelta(seconds=20)
    (bought,) = fire(followed, BUY, person, fired_at=begin)
    fire(followed, HALF, person, fired_at=begin + timedelta(seconds=5))
    assert_halved(followed, person, bought)
