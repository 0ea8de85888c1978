"""The exchange changes a symbol's filters, or does not tell them, while positions are open."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from shared.exchange import markets
from shared.messages import Command
from shared.models.order import Order
from shared.trading.execution import ExecutionState
from shared.trading.ids import Leg
from shared.trading.sides import Side
from tests.integration.executor.world import ALGO_ORDER, ORDER, TARGETS, World

EXCHANGE_INFO = "/fapi/v1/exchangeInfo"
DOGE_ALERT: dict[str, Any] = {
    "symbol": "DOGE/USDT",
    "side": Side.SELL,
    "price": Decimal("0.062"),
    "stop": Decimal("0.06345"),
    "take_profits": [Decimal("0.0601")],
}


def change(world: World, symbol: str = "BTCUSDT", **filters: str) -> None:
    world.exchange.control("PUT", f"/paper/symbols/{symbol}", filters)


def test_entry_and_stop_are_placed_on_the_tick_that_the_exchange_has_by_now(world: World) -> None:
    world.exchange.move_price("0.062", "DOGEUSDT")
    change(world, "DOGEUSDT", tickSize="0.000010")
    first = world.follower()
    assert world.open_position(first, **DOGE_ALERT).state is ExecutionState.PROTECTED
    assert [Decimal(stop["triggerPrice"]) for stop in world.account(first).stops] == [Decimal("0.06345")]
    change(world, "DOGEUSDT", tickSize="0.000100")
    second = world.follower()

    execution = world.open_position(second, **DOGE_ALERT)

    assert execution.state is ExecutionState.PROTECTED
    account = world.account(second)
    assert [Decimal(stop["triggerPrice"]) for stop in account.stops] == [Decimal("0.0634")]
    assert len(account.targets) == 1
    assert (account.sent(ORDER), account.sent(ALGO_ORDER)) == (2 + 1, 1)
    assert execution.naked_ms is not None
    assert execution.naked_ms < 5_000


def test_entry_on_an_old_step_is_sized_anew(world: World) -> None:
    world.open_position(world.follower())
    change(world, stepSize="0.1")
    person = world.follower()

    execution = world.open_position(person)

    assert execution.state is ExecutionState.PROTECTED
    assert world.account(person).position == Decimal("0.7") == execution.amount
    assert world.account(person).sent(ORDER) == 2 + TARGETS


def test_position_is_closed_although_exchange_info_fails_and_nothing_was_read_before(world: World) -> None:
    person = world.follower()
    execution = world.open_position(person)
    markets.forget()
    fault = {"method": "GET", "path": EXCHANGE_INFO, "kind": "http", "status": 503, "times": 1000}
    world.exchange.control("POST", "/paper/faults", fault)

    world.deliver(execution, command=Command.CLOSE)

    assert world.stored(execution).state is ExecutionState.CLOSED
    assert world.account(person).flat


def test_deviating_stop_is_replaced_by_the_one_on_record(world: World) -> None:
    person = world.follower()
    execution = world.open_position(person)
    (order,) = [order for order in Order.query(execution.id) if order.leg is Leg.STOP]
    order.trigger_price = Decimal(19850)
    order.save()

    world.deliver(execution, command=Command.RECONCILE)

    account = world.account(person)
    assert [(Decimal(s["triggerPrice"]), s["closePosition"]) for s in account.stops] == [(Decimal(19850), True)]
    assert account.position == execution.filled_amount


@pytest.mark.parametrize(("side", "price"), [(Side.BUY, "20050"), (Side.SELL, "19950")])
def test_trailing_stop_whose_activation_the_market_has_passed_is_active_at_once(
    world: World, side: Side, price: str
) -> None:
    world.exchange.move_price(price)
    person = world.follower()

    execution = world.open_position(person, side=side, trailing_trigger=Decimal(45), callback_rate=Decimal(2))

    trailing = [o for o in world.account(person).open_orders if o.get("orderType") == "TRAILING_STOP_MARKET"]
    assert execution.state is ExecutionState.PROTECTED
    assert [Decimal(order["quantity"]) for order in trailing] == [execution.filled_amount]
    assert [Decimal(order["activatePrice"] or 0) for order in trailing] == [Decimal(0)]
