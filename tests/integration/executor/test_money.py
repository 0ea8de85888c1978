"""The result of a closed position by the exchange's fills: fees in any asset, funding, and what closed it."""

from __future__ import annotations

import time
from decimal import Decimal

import pytest

from shared.clock import to_ms, utc_now
from shared.exchange import history
from shared.messages import Command
from shared.models.execution import Execution
from shared.models.execution_event import ExecutionEvent
from shared.models.follower_performance import FollowerPerformance
from shared.models.order import Order, OrderStatus
from shared.models.performance_day import PerformanceDay, TradeLedger
from shared.trading.execution import ExecutionState
from shared.trading.sides import Side
from tests.integration.executor.world import FUNDED, Person, World

HOUR_MS = 3_600_000
INCOME = "GET /fapi/v1/income"
CENT_FRACTION = Decimal("0.0000001")
"""The exchange rounds to eight digits, we keep all of them."""


def set_clock(world: World, *, after_the_hour_s: float) -> None:
    """Set the exchange's clock so long after its next whole hour (before it, when negative)."""
    now_ms = to_ms(utc_now())
    hour_ms = (now_ms // HOUR_MS + 1) * HOUR_MS
    world.exchange.set(clock_offset_ms=int(hour_ms + after_the_hour_s * 1000 - now_ms))


def pay_funding(world: World, rate: str) -> None:
    world.exchange.control("POST", "/paper/funding", {"symbol": "BTCUSDT", "rate": rate})


def stopped_out(world: World, execution: Execution) -> Execution:
    world.exchange.move_price("19790")
    assert world.deliver(execution, command=Command.RECONCILE) == []
    execution = world.stored(execution)
    assert (execution.state, execution.close_reason) == (ExecutionState.CLOSED, "STOP")
    return execution


@pytest.mark.parametrize(("side", "funding"), [(Side.BUY, "-15"), (Side.SELL, "15")])
def test_funding_is_part_of_the_profit(world: World, side: Side, funding: str) -> None:
    person = world.follower()
    set_clock(world, after_the_hour_s=-30)
    execution = world.open_position(person, side=side)
    set_clock(world, after_the_hour_s=1)
    pay_funding(world, "0.001")
    world.exchange.move_price("19790" if side is Side.BUY else "20210")
    world.deliver(execution, command=Command.RECONCILE)

    execution = world.stored(execution)
    performance = FollowerPerformance.find(person.record.id)
    assert execution.state is ExecutionState.CLOSED
    assert execution.funding == Decimal(funding)
    assert execution.profit is not None
    assert abs(execution.profit - (world.account(person).wallet - Decimal(FUNDED))) < CENT_FRACTION
    assert performance is not None
    assert (performance.total_funding, performance.total_profit) == (execution.funding, execution.profit)
    (day,) = PerformanceDay.query(f"{TradeLedger.STRATEGY.value}#{person.user.id}")
    assert (day.funding, day.profit) == (execution.funding, execution.profit)


def test_funding_is_shared_with_what_the_owner_holds_beside_us(world: World) -> None:
    person = world.follower()
    set_clock(world, after_the_hour_s=-30)
    execution = world.open_position(person)
    world.trade_as_owner(person, "BUY", "0.250")
    set_clock(world, after_the_hour_s=1)
    pay_funding(world, "0.001")  # 20 for 1 BTC, of which 0.75 is ours

    assert stopped_out(world, execution).funding == Decimal(-15)


def test_funding_of_hours_before_and_after_is_not_ours(world: World) -> None:
    person = world.follower()
    set_clock(world, after_the_hour_s=-300)
    world.trade_as_owner(person, "BUY", "0.100")
    pay_funding(world, "0.001")
    world.trade_as_owner(person, "SELL", "0.100")
    set_clock(world, after_the_hour_s=-30)
    execution = world.open_position(person)
    set_clock(world, after_the_hour_s=1)
    world.exchange.move_price("19790")
    world.trade_as_owner(person, "BUY", "0.100")
    set_clock(world, after_the_hour_s=120)
    pay_funding(world, "0.001")

    world.deliver(execution, command=Command.RECONCILE)

    assert world.stored(execution).funding == 0


def test_position_that_was_open_at_no_whole_hour_requests_no_funding(world: World) -> None:
    person = world.follower()
    set_clock(world, after_the_hour_s=600)
    execution = world.open_position(person)

    execution = stopped_out(world, execution)

    assert execution.funding == 0
    assert INCOME not in world.account(person).requests


def test_booking_waits_for_funding_that_cannot_be_read(world: World) -> None:
    person = world.follower()
    set_clock(world, after_the_hour_s=-30)
    execution = world.open_position(person)
    set_clock(world, after_the_hour_s=1)
    pay_funding(world, "0.001")
    world.exchange.move_price("19790")
    world.plan_fault(person, "http", "/fapi/v1/income", "GET", status=503, msg="Unknown error")

    assert world.deliver(execution, command=Command.RECONCILE) == [execution.id]
    assert world.stored(execution).active
    world.deliver(execution, command=Command.RECONCILE)

    assert world.stored(execution).funding == Decimal(-15)


def test_long_history_is_read_completely(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    # A page holds two here, not a thousand.
    monkeypatch.setattr(history, "PAGE", 2)
    person = world.follower()
    execution = world.open_position(person)
    for price in ("20200", "20300"):
        world.exchange.move_price(price)
        time.sleep(0.005)  # fills of a time of their own

    world.exchange.move_price("19790")
    world.deliver(execution, command=Command.RECONCILE)

    execution = world.stored(execution)
    assert execution.close_reason == "STOP"
    assert execution.profit is not None
    assert abs(execution.profit - (world.account(person).wallet - Decimal(FUNDED))) < CENT_FRACTION


def pays_in_bnb(world: World) -> Person:
    person = world.follower()
    world.exchange.control(
        "PUT", f"/paper/accounts/{person.key.api_key}", {"feeBurn": True, "balances": {"BNB": "1", "USDT": FUNDED}}
    )
    return person


def test_fees_paid_in_bnb_count_at_its_price(world: World) -> None:
    person = pays_in_bnb(world)
    execution = world.open_position(person)

    execution = stopped_out(world, execution)

    # A tenth cheaper in BNB at 300: 0.75 x (20000 + 19790) x 0.04 % x 0.9.
    assert execution.fee == Decimal("10.7433")
    assert execution.profit == Decimal("-157.5") - execution.fee


def test_fee_without_a_price_counts_nothing_and_is_reported(world: World) -> None:
    person = pays_in_bnb(world)
    execution = world.open_position(person)
    world.exchange.control(
        "POST",
        "/paper/faults",
        {"method": "GET", "path": "/fapi/v1/ticker/price", "kind": "code", "times": 1, "status": 400, "code": -1121},
    )

    execution = stopped_out(world, execution)

    assert (execution.fee, execution.profit) == (Decimal(0), Decimal("-157.5"))
    details = [event.detail for event in ExecutionEvent.query(execution.id) if event.state == "CLOSED"]
    assert details == ["fees in BNB have no price"]


def test_position_that_the_exchange_settles_is_booked_as_delisted(world: World) -> None:
    person = world.follower()
    execution = world.open_position(person)
    world.exchange.control("PUT", "/paper/prices/BTCUSDT", {"markPrice": "20010"})
    world.exchange.control("POST", "/paper/settlements/BTCUSDT")

    world.deliver(execution, command=Command.RECONCILE)

    execution = world.stored(execution)
    assert (execution.state, execution.close_reason) == (ExecutionState.CLOSED, "DELISTED")
    assert execution.exit_price == Decimal(20010)
    assert world.account(person).flat
    assert world.slot(person).execution_id is None


def test_liquidation_is_booked_with_its_fee(world: World) -> None:
    person = world.follower()
    execution = world.open_position(person)
    world.cancel_stops_as_owner(person)
    world.exchange.move_price("4680")  # what is left of the wallet is less than 1.25 % of the position

    world.deliver(execution, command=Command.RECONCILE)

    execution = world.stored(execution)
    assert (execution.state, execution.close_reason) == (ExecutionState.CLOSED, "LIQUIDATION")
    assert world.account(person).open_orders == []
    assert world.account(person).wallet == 0
    assert execution.profit is not None
    assert execution.fee is not None
    assert abs(execution.profit + Decimal(FUNDED)) < CENT_FRACTION
    assert execution.fee > Decimal("7.4") + 1  # the fees of both fills are less


def test_liquidation_without_a_fee_is_booked_after_a_minute(world: World) -> None:
    person = world.follower()
    set_clock(world, after_the_hour_s=600)
    execution = world.open_position(person)
    world.cancel_stops_as_owner(person)
    world.exchange.move_price("4000")  # the loss is more than the wallet
    world.deliver(execution, command=Command.RECONCILE)
    assert world.stored(execution).active

    set_clock(world, after_the_hour_s=670)
    world.deliver(execution, command=Command.RECONCILE)

    execution = world.stored(execution)
    assert (execution.state, execution.close_reason) == (ExecutionState.CLOSED, "LIQUIDATION")
    assert execution.exit_price == 4000


def test_close_by_hand_in_many_orders_is_booked_as_one_exit(world: World) -> None:
    person = world.follower()
    execution = world.open_position(person)
    for _ in range(5):
        world.trade_as_owner(person, "SELL", "0.150")

    world.deliver(execution, command=Command.RECONCILE)

    execution = world.stored(execution)
    assert (execution.state, execution.close_reason) == (ExecutionState.CLOSED, "MANUAL")
    assert execution.profit is not None
    assert abs(execution.profit - (world.account(person).wallet - Decimal(FUNDED))) < CENT_FRACTION


def test_orders_record_how_they_ended_once_the_position_is_booked(world: World) -> None:
    person = world.follower()
    execution = world.open_position(person)
    world.exchange.move_price("20200")
    stopped_out(world, execution)

    ended = {order.leg.value: (order.status, order.filled) for order in Order.query(execution.id)}

    assert ended["TAKE_PROFIT_1"] == (OrderStatus.FILLED, Decimal("0.25"))
    assert ended["STOP"] == (OrderStatus.FILLED, Decimal("0.5"))
    assert ended["TAKE_PROFIT_2"][0] is ended["TAKE_PROFIT_3"][0] is OrderStatus.CANCELLED
