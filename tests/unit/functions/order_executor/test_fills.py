"""Fills get the client ids of their orders with as few requests as possible."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from functions.order_executor.fills import FillBook
from shared.exchange.venue_views import OrderView, VenueStatus
from shared.models.order import Order
from shared.trading.ids import Leg
from shared.trading.order_planning import OrderType
from shared.trading.position_accounting import Fill
from shared.trading.sides import Side

BEGUN = datetime(2022, 9, 9, tzinfo=UTC)
EXECUTION = "c21d890e-87b6-524d-b010-929612e17011"


def a_fill(order_id: str, *, at_s: float = 0) -> Fill:
    return Fill(
        order_id=order_id,
        client_order_id="",
        side=Side.SELL,
        price=Decimal(100),
        amount=Decimal(1),
        fee=Decimal(0),
        fee_asset="USDT",
        realized_pnl=Decimal(0),
        at=BEGUN + timedelta(seconds=at_s),
    )


def an_order(client_id: str, *, leg: Leg = Leg.TAKE_PROFIT_1, exchange_id: str | None = None) -> Order:
    conditional = leg is Leg.STOP
    return Order(
        execution_id=EXECUTION,
        client_order_id=client_id,
        leg=leg,
        attempt=1,
        type=OrderType.STOP_MARKET if conditional else OrderType.LIMIT,
        side=Side.SELL,
        conditional=conditional,
        exchange_order_id=exchange_id,
        created_at=BEGUN,
        updated_at=BEGUN,
    )


def a_view(client_id: str, exchange_id: str, *, actual: str | None = None) -> OrderView:
    return OrderView(
        client_order_id=client_id,
        exchange_order_id=exchange_id,
        conditional=actual is not None,
        status=VenueStatus.FILLED,
        type="MARKET",
        side=Side.SELL,
        amount=Decimal(1),
        filled=Decimal(1),
        average=None,
        price=None,
        trigger_price=None,
        reduce_only=True,
        close_position=False,
        actual_order_id=actual,
        updated_at=BEGUN,
    )


@dataclass
class Venue:
    """An exchange that records its requests."""

    fills_by_number: dict[int, Fill]
    orders: list[OrderView] = field(default_factory=list)
    conditional: dict[str, OrderView] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    since: list[datetime] = field(default_factory=list)
    not_found_yet: set[str] = field(default_factory=set)
    """Orders that the list has, and a look-up by id does not find for a moment."""

    async def fills(self, symbol: str, *, since: datetime) -> dict[int, Fill]:
        self.since.append(since)
        return {number: fill for number, fill in self.fills_by_number.items() if fill.at >= since}

    async def find_order(self, symbol: str, client_order_id: str, **_: Any) -> OrderView | None:
        self.requests.append(f"client id {client_order_id}")
        return self.conditional.get(client_order_id)

    async def find_by_exchange_id(self, symbol: str, exchange_order_id: str) -> OrderView | None:
        self.requests.append(f"id {exchange_order_id}")
        if exchange_order_id in self.not_found_yet:
            return None
        return next((o for o in self.orders if o.exchange_order_id == exchange_order_id), None)

    async def orders_since(self, symbol: str, since: datetime) -> list[OrderView]:
        self.requests.append("list")
        return self.orders


def names(venue: Venue, *orders: Order, times: int = 1) -> list[str]:
    book = FillBook(venue, "BTC/USDT", since=BEGUN - timedelta(minutes=1))  # type: ignore[arg-type] # the requests that it sends

    async def read() -> list[str]:
        for _ in range(times - 1):
            await book.read(orders)
        return [fill.client_order_id for fill in await book.read(orders)]

    return asyncio.run(read())


def test_fills_of_orders_in_the_ledger_get_their_client_ids_without_a_request() -> None:
    venue = Venue({1: a_fill("7"), 2: a_fill("8", at_s=1)})
    ledger = an_order("entry", leg=Leg.ENTRY, exchange_id="7"), an_order("target", exchange_id="8")
    assert names(venue, *ledger) == ["entry", "target"]
    assert venue.requests == []


def test_triggered_stop_is_looked_up_by_its_client_id_once() -> None:
    venue = Venue({1: a_fill("7"), 2: a_fill("9", at_s=1)}, conditional={"stop": a_view("stop", "70", actual="9")})
    ledger = an_order("entry", leg=Leg.ENTRY, exchange_id="7"), an_order("stop", leg=Leg.STOP, exchange_id="70")
    assert names(venue, *ledger, times=2) == ["entry", "stop"]
    assert venue.requests == ["client id stop"]


def test_id_of_a_conditional_order_is_not_taken_for_a_regular_ones() -> None:
    venue = Venue({1: a_fill("7"), 2: a_fill("70", at_s=1)}, orders=[a_view("web", "70")])
    ledger = an_order("entry", leg=Leg.ENTRY, exchange_id="7"), an_order("stop", leg=Leg.STOP, exchange_id="70")
    assert names(venue, *ledger) == ["entry", "web"]


def test_few_unknown_orders_are_looked_up_one_by_one() -> None:
    venue = Venue({1: a_fill("7"), 2: a_fill("8", at_s=1)}, orders=[a_view("web", "8")])
    assert names(venue, an_order("entry", leg=Leg.ENTRY, exchange_id="7"), times=2) == ["entry", "web"]
    assert venue.requests == ["id 8"]


def test_many_unknown_orders_are_read_as_one_list() -> None:
    venue = Venue(
        {1: a_fill("7"), **{n: a_fill(str(n), at_s=n) for n in range(10, 16)}},
        orders=[a_view(f"web{n}", str(n)) for n in range(10, 16)],
    )
    found = names(venue, an_order("entry", leg=Leg.ENTRY, exchange_id="7"))
    assert found == ["entry", *(f"web{n}" for n in range(10, 16))]
    assert venue.requests == ["list"]


def test_order_that_is_not_found_has_no_client_id_and_is_looked_up_again() -> None:
    venue = Venue({1: a_fill("7"), 2: a_fill("8", at_s=1)})
    assert names(venue, an_order("entry", leg=Leg.ENTRY, exchange_id="7"), times=2) == ["entry", ""]
    assert venue.requests == ["id 8", "list", "id 8", "list"]


def test_order_of_a_fill_that_is_not_found_by_its_id_is_taken_from_the_list() -> None:
    venue = Venue(
        {1: a_fill("7"), 2: a_fill("8", at_s=1)}, orders=[a_view("settlement_autoclose-1", "8")], not_found_yet={"8"}
    )
    assert names(venue, an_order("entry", leg=Leg.ENTRY, exchange_id="7")) == ["entry", "settlement_autoclose-1"]


def test_fills_before_the_only_entry_need_no_client_id() -> None:
    venue = Venue({1: a_fill("5", at_s=-9), 2: a_fill("7")}, orders=[a_view("before", "5")])
    entry = an_order("entry", leg=Leg.ENTRY, exchange_id="7")
    assert names(venue, entry) == ["", "entry"]
    assert venue.requests == []


def test_late_fill_of_a_first_entry_gets_its_client_id_although_it_precedes_the_second() -> None:
    venue = Venue({1: a_fill("5", at_s=-9), 2: a_fill("7")}, orders=[a_view("first", "5")])
    ledger = an_order("first", leg=Leg.ENTRY), an_order("second", leg=Leg.ENTRY, exchange_id="7")
    assert names(venue, *ledger) == ["first", "second"]


def test_second_read_requests_the_latest_fills_only_and_keeps_the_others() -> None:
    venue = Venue({1: a_fill("7")})
    assert names(venue, an_order("entry", leg=Leg.ENTRY, exchange_id="7"), times=2) == ["entry"]
    assert venue.since[0] < BEGUN < venue.since[1]
