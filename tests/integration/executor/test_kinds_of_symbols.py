"""Contracts of every kind that the exchange lists: dated ones, names that are not ASCII, other margin assets."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from local.paper_exchange.listing import CURRENT_QUARTER, EVERY_SYMBOL
from shared.clock import to_ms, utc_now
from shared.messages import Command
from shared.models.execution import Execution
from shared.trading.execution import ExecutionState
from tests.integration.executor.world import FUNDED, ORDER, Person, World

DATED_NAME = f"BTCUSDT_{CURRENT_QUARTER}"
DATED: dict[str, Any] = {"symbol": f"BTC/USDT-{CURRENT_QUARTER}"}
"""At 20000 like the perpetual, with the same filters."""
NOT_ASCII: dict[str, Any] = {
    "symbol": "币安人生/USDT",
    "price": Decimal("0.15"),
    "stop": Decimal("0.1485"),
    "take_profits": [Decimal("0.1515"), Decimal("0.1522"), Decimal("0.153")],
}
TRADITIONAL: dict[str, Any] = {
    "symbol": "TSLA/USDT",
    "price": Decimal(250),
    "stop": Decimal("247.5"),
    "take_profits": [Decimal("252.5"), Decimal(254), Decimal(255)],
}
CENT_FRACTION = Decimal("0.0000001")


@pytest.fixture(autouse=True)
def full_listing(world: World) -> Iterator[None]:
    """List every kind of contract; prices are as they were first."""
    world.exchange.control("PUT", "/paper/listing", {"full": True})
    for name, price in ((DATED_NAME, "20000"), ("币安人生USDT", "0.15"), ("TSLAUSDT", "250")):
        world.exchange.move_price(price, name)
    yield
    world.exchange.control("PUT", "/paper/listing", {"full": False})


def held(world: World, person: Person) -> dict[str, str]:
    account = world.exchange.control("GET", f"/paper/accounts/{person.key.api_key}")
    return {position["symbol"]: position["amount"] for position in account["positions"]}


def reconciled(world: World, execution: Execution) -> Execution:
    assert world.deliver(execution, command=Command.RECONCILE) == []
    return world.stored(execution)


@pytest.mark.parametrize(
    ("alert", "venue_symbol", "at_the_stop"),
    [
        (DATED, DATED_NAME, "19790"),
        (NOT_ASCII, "币安人生USDT", "0.148"),
        (TRADITIONAL, "TSLAUSDT", "247"),
    ],
    ids=["dated", "not ASCII", "traditional"],
)
def test_contract_is_entered_protected_and_booked(
    world: World, alert: dict[str, Any], venue_symbol: str, at_the_stop: str
) -> None:
    person = world.follower()
    funds = world.account(person).wallet

    execution = world.open_position(person, **alert)

    assert execution.state is ExecutionState.PROTECTED
    assert execution.amount is not None
    assert {symbol: Decimal(amount) for symbol, amount in held(world, person).items()} == {
        venue_symbol: execution.amount
    }
    account = world.account(person)
    assert {order["symbol"] for order in account.open_orders} == {venue_symbol}
    assert [Decimal(stop["triggerPrice"]) for stop in account.stops] == [alert.get("stop", Decimal(19800))]
    assert len(account.targets) == 3

    world.exchange.move_price(at_the_stop, venue_symbol)
    execution = reconciled(world, execution)

    assert (execution.state, execution.close_reason) == (ExecutionState.CLOSED, "STOP")
    assert execution.profit is not None
    assert abs(execution.profit - (world.account(person).wallet - funds)) < CENT_FRACTION
    assert world.account(person).flat


def test_dividend_of_a_stock_is_booked_with_the_funding(world: World) -> None:
    person = world.follower()
    funds = world.account(person).wallet
    now_ms = to_ms(utc_now())
    hour_ms = (now_ms // 3_600_000 + 1) * 3_600_000
    world.exchange.set(clock_offset_ms=hour_ms - 30_000 - now_ms)
    execution = world.open_position(person, **TRADITIONAL)
    world.exchange.set(clock_offset_ms=hour_ms + 1_000 - to_ms(utc_now()))
    assert execution.amount is not None
    for special in (False, True):
        world.exchange.control("POST", "/paper/funding", {"symbol": "TSLAUSDT", "rate": "0.0001", "special": special})

    world.exchange.move_price("247", "TSLAUSDT")
    execution = reconciled(world, execution)

    assert execution.funding == -2 * execution.amount * 250 * Decimal("0.0001")
    assert execution.profit is not None
    assert abs(execution.profit - (world.account(person).wallet - funds)) < CENT_FRACTION


def test_contract_in_usdc_is_sized_and_booked_in_usdc(world: World) -> None:
    person = world.follower(balance="3000", balances={"USDC": FUNDED})
    world.exchange.move_price("20000", "BTCUSDC")

    execution = world.open_position(person, symbol="BTC/USDC")

    assert execution.state is ExecutionState.PROTECTED
    assert execution.amount == Decimal("0.75"), "by the equity in USDC, not by that in USDT"
    world.exchange.move_price("19790", "BTCUSDC")
    execution = reconciled(world, execution)
    assert (execution.state, execution.close_reason) == (ExecutionState.CLOSED, "STOP")
    assert execution.profit is not None
    wallets = world.exchange.control("GET", f"/paper/accounts/{person.key.api_key}")["balances"]
    assert abs(Decimal(wallets["USDC"]) - Decimal(FUNDED) - execution.profit) < CENT_FRACTION
    assert Decimal(wallets["USDT"]) == 3000


def test_account_without_usdc_has_no_equity_for_a_contract_in_usdc(world: World) -> None:
    person = world.follower()
    execution = world.open_position(person, symbol="BTC/USDC")
    assert (execution.state, execution.reason) == (ExecutionState.DENIED, "NO_EQUITY")


def test_dated_contract_and_perpetual_are_two_positions(world: World) -> None:
    person = world.follower(balance="30000")
    perpetual = world.open_position(person)
    dated = world.open_position(person, **DATED)
    assert held(world, person).keys() == {"BTCUSDT", DATED_NAME}

    world.exchange.move_price("19790", DATED_NAME)

    assert reconciled(world, dated).close_reason == "STOP"
    assert reconciled(world, perpetual).state is ExecutionState.PROTECTED
    assert held(world, person).keys() == {"BTCUSDT"}


def test_position_open_at_delivery_is_booked_at_the_settlement_price(world: World) -> None:
    person = world.follower()
    funds = world.account(person).wallet
    execution = world.open_position(person, **DATED)
    world.exchange.control("PUT", f"/paper/prices/{DATED_NAME}", {"markPrice": "20123.4"})
    delivery_ms = EVERY_SYMBOL[DATED_NAME].delivery_ms
    world.exchange.set(clock_offset_ms=delivery_ms + 1_000 - to_ms(utc_now()))

    execution = reconciled(world, execution)

    assert (execution.state, execution.close_reason) == (ExecutionState.CLOSED, "DELISTED")
    assert execution.exit_price == Decimal("20123.4")
    assert execution.profit is not None
    assert abs(execution.profit - (world.account(person).wallet - funds)) < CENT_FRACTION
    assert world.account(person).flat


def test_contract_that_is_being_delivered_is_not_entered(world: World) -> None:
    person = world.follower()
    world.exchange.control("PUT", f"/paper/symbols/{DATED_NAME}", {"status": "PRE_SETTLE"})

    execution = world.open_position(person, **DATED)

    assert (execution.state, execution.reason) == (ExecutionState.DENIED, "SYMBOL_NOT_TRADING")
    assert world.account(person).sent(ORDER) == 0


def test_position_that_cannot_be_traded_before_its_settlement_ends_with_it(world: World) -> None:
    person = world.follower()
    execution = world.open_position(person, **DATED)
    world.as_owner(person, lambda client: client.fapiPrivateDeleteAlgoOpenOrders({"symbol": DATED_NAME}))
    world.exchange.control("PUT", f"/paper/symbols/{DATED_NAME}", {"status": "SETTLING"})

    world.deliver(execution, command=Command.RECONCILE)

    execution = world.stored(execution)
    assert execution.state in {ExecutionState.UNPROTECTED, ExecutionState.FLATTENING}
    assert execution.due_at is not None
    world.exchange.control("POST", f"/paper/settlements/{DATED_NAME}")
    execution = reconciled(world, execution)
    assert (execution.state, execution.close_reason) == (ExecutionState.CLOSED, "DELISTED")
    assert world.account(person).flat
