"""A follower that may not enter is denied with a reason, and no order is sent."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from shared.clock import utc_now
from shared.messages import Command
from shared.models.exchange_key import StrategyType, TradeType
from shared.models.execution_event import ExecutionEvent
from shared.trading.execution import ExecutionState
from tests.integration.executor.world import ORDER, Person, World

Change = Callable[[World, Person], Any]


def _save(record: Any, **values: Any) -> None:
    for name, value in values.items():
        setattr(record, name, value)
    record.save()


RECORDS: dict[str, Change] = {
    "FOLLOWER_INACTIVE": lambda world, person: _save(person.record, active=False),
    "USER_DISABLED": lambda world, person: _save(person.user, active=False),
    "PLAN_LAPSED": lambda world, person: _save(person.user, plan_lapsed=True),
    "PLAN_WITHOUT_AUTOMATION": lambda world, person: _save(world.plan, strategy_automated=False),
    "STRATEGY_INACTIVE": lambda world, person: _save(world.strategy, active=False),
    "KEY_INACTIVE": lambda world, person: _save(person.key, active=False),
    "KEY_NOT_FUTURES": lambda world, person: _save(person.key, trade_type=TradeType.SPOT),
    "HALTED": lambda world, person: world.halt(on=True),
}

ACCOUNTS: dict[str, dict[str, Any]] = {
    "HEDGE_MODE": {"dualSidePosition": True},
    "MULTI_ASSETS_MARGIN": {"multiAssetsMargin": True},
    "WITHDRAWALS_ENABLED": {"canWithdraw": True},
    "FUTURES_DISABLED": {"canTrade": False},
}


@pytest.mark.parametrize("reason", RECORDS)
def test_our_own_records_deny_an_entry(world: World, reason: str) -> None:
    person = world.follower()
    execution = world.queue_execution(person, world.trigger())
    RECORDS[reason](world, person)

    world.deliver(execution)

    execution = world.stored(execution)
    assert (execution.state, execution.reason) == (ExecutionState.DENIED, reason)
    assert world.account(person).sent(ORDER) == 0
    assert not execution.active


def test_key_for_manual_trading_is_denied(world: World) -> None:
    person = world.follower()
    execution = world.queue_execution(person, world.trigger())
    _save(person.key, strategy_type=StrategyType.MANUAL)

    world.deliver(execution)

    assert world.stored(execution).reason == "KEY_INACTIVE"


@pytest.mark.parametrize("reason", ACCOUNTS)
def test_accounts_that_we_do_not_trade_are_denied(world: World, reason: str) -> None:
    person = world.follower(**ACCOUNTS[reason])

    execution = world.open_position(person)

    assert (execution.state, execution.reason) == (ExecutionState.DENIED, reason)
    assert world.account(person).sent(ORDER) == 0


def test_balance_over_the_plans_maximum_is_denied(world: World) -> None:
    person = world.follower(balance="50001")

    assert world.open_position(person).reason == "BALANCE_OVER_PLAN_MAXIMUM"


def test_amount_below_the_exchanges_minimum_is_denied(world: World) -> None:
    person = world.follower(balance="60")

    assert world.open_position(person).reason == "BELOW_MINIMUM"


def test_alert_older_than_a_minute_opens_nothing(world: World) -> None:
    person = world.follower()

    execution = world.open_position(person, created_at=utc_now() - timedelta(seconds=61))

    assert execution.reason == "STALE"


def test_alert_older_than_the_latest_opens_nothing(world: World) -> None:
    person = world.follower()
    first = world.trigger()
    world.trigger()
    execution = world.queue_execution(person, first)

    world.deliver(execution)

    assert world.stored(execution).reason == "SUPERSEDED"


def test_market_that_has_moved_away_opens_nothing(world: World) -> None:
    person = world.follower()
    execution = world.queue_execution(person, world.trigger())
    world.exchange.move_price("20250")

    world.deliver(execution)

    assert world.stored(execution).reason == "PRICE_MOVED"


def test_stop_that_the_market_has_crossed_opens_nothing(world: World) -> None:
    person = world.follower()
    execution = world.queue_execution(person, world.trigger(stop=Decimal("19950")))
    world.exchange.move_price("19940")

    world.deliver(execution)

    assert world.stored(execution).reason == "STOP_CROSSED"


def test_market_that_has_moved_by_a_third_of_the_stop_distance_opens_nothing(world: World) -> None:
    person = world.follower()
    execution = world.queue_execution(person, world.trigger())  # its stop is 200 away
    world.exchange.move_price("20061")

    world.deliver(execution)

    assert world.stored(execution).reason == "PRICE_MOVED"


@pytest.mark.parametrize(
    ("share", "price", "state"),
    [("0.5", "20061", ExecutionState.PROTECTED), ("0.1", "20021", ExecutionState.DENIED)],
)
def test_trigger_with_a_share_of_its_own_is_judged_by_it(
    world: World, share: str, price: str, state: ExecutionState
) -> None:
    person = world.follower()
    execution = world.queue_execution(person, world.trigger(max_chase=Decimal(share)))
    world.exchange.move_price(price)

    world.deliver(execution)

    assert world.stored(execution).state is state


def test_amount_loses_no_more_from_the_markets_price(world: World) -> None:
    person = world.follower()
    execution = world.queue_execution(person, world.trigger())
    world.exchange.move_price("20050")

    world.deliver(execution)

    # 1.5 % of 11,507 over the 260 from the bound to the stop, and fees of 0.05 % of both.
    assert world.stored(execution).amount == Decimal("0.616")


def test_target_that_the_market_has_passed_is_left_out(world: World) -> None:
    person = world.follower()
    targets = [Decimal(20040), Decimal(20200), Decimal(20300)]
    weights = [Decimal(50), Decimal(30), Decimal(20)]
    execution = world.queue_execution(person, world.trigger(take_profits=targets, take_profit_weights=weights))
    world.exchange.move_price("20050")

    world.deliver(execution)

    stored = world.stored(execution)
    # The others keep their weights: 30 to 20.
    nearer, farther = (Decimal(order["origQty"]) for order in world.account(person).targets)
    assert stored.filled_amount == nearer + farther
    assert abs(nearer - stored.filled_amount * 3 / 5) < Decimal("0.001")
    assert (stored.state, stored.passed_targets) == (ExecutionState.PROTECTED, [Decimal(20040)])
    assert [Decimal(order["price"]) for order in world.account(person).targets] == [Decimal(20200), Decimal(20300)]
    details = [event.detail for event in ExecutionEvent.query(execution.id)]
    assert "targets that the market has passed: 20040" in details
    # The next reconciliation plans the same exits.
    assert world.deliver(execution, command=Command.RECONCILE) == []
    assert len(world.account(person).targets) == 2


def test_market_that_has_passed_every_target_opens_nothing(world: World) -> None:
    person = world.follower()
    execution = world.queue_execution(person, world.trigger(take_profits=[Decimal(20030), Decimal(20040)]))
    world.exchange.move_price("20050")

    world.deliver(execution)

    assert (world.stored(execution).state, world.stored(execution).reason) == (ExecutionState.DENIED, "TARGET_PASSED")
    assert world.account(person).flat


def test_position_that_is_not_ours_is_left_alone(world: World) -> None:
    person = world.follower()
    world.trade_as_owner(person, "BUY", "0.1")

    execution = world.open_position(person)

    assert (execution.state, execution.reason) == (ExecutionState.DENIED, "FOREIGN_POSITION")
    assert world.account(person).position == Decimal("0.1")


def test_order_that_is_not_ours_is_left_alone(world: World) -> None:
    person = world.follower()
    world.trade_as_owner(person, "BUY", "0.1", type="LIMIT", price="15000", timeInForce="GTC")

    execution = world.open_position(person)

    assert execution.reason == "FOREIGN_POSITION"
    assert len(world.account(person).open_orders) == 1


def test_key_that_the_exchange_refuses_is_denied(world: World) -> None:
    person = world.follower()
    execution = world.queue_execution(person, world.trigger())
    world.plan_fault(person, "code", "/fapi/v2/account", "GET", status=401, code=-2015, msg="Invalid API-key")

    world.deliver(execution)

    assert world.stored(execution).reason == "KEY_UNAUTHORIZED"
