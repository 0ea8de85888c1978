"""What a process keeps of the exchange's markets, and when it reads them again."""

from __future__ import annotations

import asyncio
import io
import random
import time
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from local.simulation.clock import SimulatedClock, SimulatedLoop
from shared.errors import AddressBanned, ExchangeError, ExchangeThrottled, ExchangeUnavailable, NotFound, OutcomeUnknown
from shared.exchange import markets
from shared.trading.filters import SymbolFilters

BTC = "BTC/USDT"


def a_market(base: str, *, tick: str = "0.10", **changes: Any) -> dict[str, Any]:
    filters = [
        {"filterType": "PRICE_FILTER", "minPrice": "0.1", "maxPrice": "1000000", "tickSize": tick},
        {"filterType": "LOT_SIZE", "minQty": "0.001", "maxQty": "1000", "stepSize": "0.001"},
        {"filterType": "MARKET_LOT_SIZE", "minQty": "0.001", "maxQty": "120", "stepSize": "0.001"},
        {"filterType": "MIN_NOTIONAL", "notional": "100"},
    ]
    usual = {
        "symbol": f"{base}USDT",
        "baseAsset": base,
        "quoteAsset": "USDT",
        "marginAsset": "USDT",
        "contractType": "PERPETUAL",
        "status": "TRADING",
    }
    return usual | {"filters": filters} | changes


class Exchange:
    """Answers Exchange Information: slowly, and with what a test sets."""

    def __init__(self) -> None:
        self.markets = [a_market("BTC"), a_market("ETH")]
        self.error: Exception | None = None
        self.answers_after_s = 0.2
        self.reads = 0
        self.price = "20000"
        self.book: dict[str, Any] = {"bidPrice": "19999.9", "askPrice": "20000.1"}

    async def fapiPublicGetTickerPrice(self, params: dict[str, Any]) -> Any:  # noqa: N802 - ccxt's name
        self.reads += 1
        price = self.price
        await asyncio.sleep(self.answers_after_s)
        return {"symbol": params["symbol"], "price": price}

    async def fapiPublicGetTickerBookTicker(self, params: dict[str, Any]) -> Any:  # noqa: N802 - ccxt's name
        book = dict(self.book)
        await asyncio.sleep(self.answers_after_s)
        if self.error is not None:
            raise self.error
        return {"symbol": params["symbol"]} | book

    async def fapiPublicGetExchangeInfo(self, params: dict[str, Any]) -> Any:  # noqa: N802 - ccxt's name
        self.reads += 1
        answer = {"symbols": list(self.markets)}
        await asyncio.sleep(self.answers_after_s)
        if self.error is not None:
            raise self.error
        return answer


@pytest.fixture
def loop() -> Iterator[SimulatedLoop]:
    """Return an event loop on simulated time."""
    clock = SimulatedClock(wall_s=1_700_000_000)
    with clock.everywhere():
        markets.forget()
        made = SimulatedLoop(clock, dice=random.Random(1))  # noqa: S311 - the same course in every run
        yield made
        made.close()
    markets.forget()


@pytest.fixture
def exchange() -> Exchange:
    """Return an exchange that lists BTC and ETH."""
    return Exchange()


ERRORS = [
    ExchangeUnavailable("503"),
    ExchangeThrottled("429"),
    AddressBanned("418"),
    OutcomeUnknown("an answer that is cut off"),
]


async def renewed(exchange: Exchange, refused: SymbolFilters, *, sent_at_s: float | None = None) -> SymbolFilters:
    at_s = time.monotonic() if sent_at_s is None else sent_at_s
    return await markets.renewed_filters(exchange, BTC, refused=refused, sent_at_s=at_s, timeout_s=2.0)


def test_entries_read_once_an_hour_for_all_symbols(loop: SimulatedLoop, exchange: Exchange) -> None:
    async def work() -> None:
        for symbol in (BTC, "ETH/USDT", BTC):
            await markets.symbol_filters(exchange, symbol)
        assert exchange.reads == 1
        await asyncio.sleep(3601)
        await markets.symbol_filters(exchange, BTC)
        assert exchange.reads == 2

    loop.run_until_complete(work())


@pytest.mark.parametrize("error", ERRORS)
def test_entry_is_refused_old_filters_and_an_exit_is_served_them(
    loop: SimulatedLoop, exchange: Exchange, error: ExchangeError
) -> None:
    async def work() -> None:
        known = await markets.symbol_filters(exchange, BTC)
        await asyncio.sleep(5 * 3600)
        exchange.error = error
        with pytest.raises(type(error)):
            await markets.symbol_filters(exchange, BTC)
        reads, began_s = exchange.reads, time.monotonic()
        assert await markets.filters_for_exit(exchange, BTC) == known
        assert (exchange.reads, time.monotonic()) == (reads, began_s)

    loop.run_until_complete(work())


@pytest.mark.parametrize("error", [*ERRORS, None])
def test_exit_of_a_process_that_has_read_nothing_goes_on_without_filters_after_two_seconds_at_most(
    loop: SimulatedLoop, exchange: Exchange, error: ExchangeError | None
) -> None:
    exchange.error, exchange.answers_after_s = error, 0.2 if error else 60.0

    async def work() -> None:
        began_s = time.monotonic()
        answers = await asyncio.gather(*(markets.filters_for_exit(exchange, BTC) for _ in range(100)))
        assert set(answers) == {None}
        assert exchange.reads == 1
        assert time.monotonic() - began_s <= markets.EXIT_READ_TIMEOUT_S + 0.01

        began_s = time.monotonic()
        assert await markets.filters_for_exit(exchange, BTC) is None
        assert time.monotonic() - began_s < 0.01
        exchange.error, exchange.answers_after_s = None, 0.2
        await asyncio.sleep(11)
        assert await markets.filters_for_exit(exchange, BTC) is not None

    loop.run_until_complete(work())


def test_hundred_requests_that_are_refused_together_read_once(loop: SimulatedLoop, exchange: Exchange) -> None:
    async def refused_one(known: SymbolFilters, delay_s: float) -> SymbolFilters:
        sent_at_s = time.monotonic()
        await asyncio.sleep(delay_s)  # the refusal's way back
        return await renewed(exchange, known, sent_at_s=sent_at_s)

    async def work() -> None:
        known = await markets.symbol_filters(exchange, BTC)
        await asyncio.sleep(60)
        exchange.markets[0] = a_market("BTC", tick="0.5")
        found = await asyncio.gather(*(refused_one(known, 0.1 + number / 100) for number in range(100)))
        assert exchange.reads == 2
        assert {one.tick_size for one in found} == {Decimal("0.5")}

    loop.run_until_complete(work())


def test_refusals_that_share_a_failed_read_share_its_error(loop: SimulatedLoop, exchange: Exchange) -> None:
    async def work() -> None:
        known = await markets.symbol_filters(exchange, BTC)
        await asyncio.sleep(1)
        exchange.error = ExchangeUnavailable("503")
        outcomes = await asyncio.gather(*(renewed(exchange, known) for _ in range(100)), return_exceptions=True)
        assert {type(one) for one in outcomes} == {ExchangeUnavailable}
        assert exchange.reads == 2

    loop.run_until_complete(work())


def test_filters_that_somebody_has_renewed_meanwhile_are_not_read_again(
    loop: SimulatedLoop, exchange: Exchange
) -> None:
    async def work() -> None:
        known = await markets.symbol_filters(exchange, BTC)
        await asyncio.sleep(1)
        exchange.markets[0] = a_market("BTC", tick="0.5")
        await renewed(exchange, known)
        await asyncio.sleep(600)
        assert (await renewed(exchange, known)).tick_size == Decimal("0.5")
        assert exchange.reads == 2

    loop.run_until_complete(work())


def test_same_filters_are_read_again_for_a_request_that_was_sent_since(loop: SimulatedLoop, exchange: Exchange) -> None:
    async def work() -> None:
        known = await markets.symbol_filters(exchange, BTC)
        for reads in (2, 3):
            await asyncio.sleep(1)
            assert await renewed(exchange, known) == known
            assert exchange.reads == reads

    loop.run_until_complete(work())


def test_renewal_that_gets_no_answer_ends_in_time(loop: SimulatedLoop, exchange: Exchange) -> None:
    async def work() -> None:
        known = await markets.symbol_filters(exchange, BTC)
        await asyncio.sleep(1)
        exchange.answers_after_s = 60.0
        began_s = time.monotonic()
        with pytest.raises(OutcomeUnknown):
            await renewed(exchange, known)
        assert time.monotonic() - began_s < 2.01

    loop.run_until_complete(work())


@pytest.mark.parametrize(
    "broken",
    [
        a_market("BAD", filters=[]),
        a_market("BAD", filters=None),
        a_market("BAD", filters=[{"filterType": "PRICE_FILTER"}]),
        a_market("BAD", tick="many"),
        {"symbol": "BADUSDT", "contractType": "PERPETUAL", "quoteAsset": "USDT", "marginAsset": "USDT"},
        {"contractType": "PERPETUAL"},
        a_market("BAD", symbol=None),
        a_market("BAD", symbol="BAD-USD"),
        a_market("BAD", symbol="USDT"),
        "not a market",
        None,
    ],
)
def test_symbol_that_cannot_be_parsed_leaves_out_itself_alone(
    loop: SimulatedLoop, exchange: Exchange, broken: Any
) -> None:
    exchange.markets.insert(0, broken)

    async def work() -> None:
        assert (await markets.symbol_filters(exchange, BTC)).tick_size == Decimal("0.10")
        assert await markets.is_trading(exchange, "ETH/USDT")
        with pytest.raises(NotFound):
            await markets.symbol_filters(exchange, "BAD/USDT")
        assert not await markets.is_trading(exchange, "BAD/USDT")

    loop.run_until_complete(work())


def test_symbol_that_cannot_be_parsed_any_more_takes_no_entry_serves_exits_and_is_logged_once(
    loop: SimulatedLoop, exchange: Exchange, log: io.StringIO
) -> None:
    async def work() -> None:
        known = await markets.symbol_filters(exchange, BTC)
        exchange.markets[0] = a_market("BTC", filters=[])
        for _ in range(3):
            await asyncio.sleep(3601)
            with pytest.raises(NotFound):
                await markets.symbol_filters(exchange, BTC)
        assert await markets.filters_for_exit(exchange, BTC) == known

    loop.run_until_complete(work())
    assert log.getvalue().count('"message":"symbol_unreadable"') == 1


@pytest.mark.parametrize("answer", [{}, {"symbols": None}, []])
def test_answer_without_symbols_replaces_nothing(
    loop: SimulatedLoop, exchange: Exchange, monkeypatch: pytest.MonkeyPatch, answer: Any
) -> None:
    async def nonsense(_: dict[str, Any]) -> Any:
        return answer

    async def work() -> None:
        known = await markets.symbol_filters(exchange, BTC)
        await asyncio.sleep(3601)
        monkeypatch.setattr(exchange, "fapiPublicGetExchangeInfo", nonsense)
        with pytest.raises(OutcomeUnknown):
            await markets.symbol_filters(exchange, BTC)
        assert await markets.filters_for_exit(exchange, BTC) == known

    loop.run_until_complete(work())


def test_prices_are_shared_for_a_second_from_when_they_were_asked_for(loop: SimulatedLoop, exchange: Exchange) -> None:
    async def work() -> None:
        await asyncio.gather(*(markets.market_prices(exchange, BTC) for _ in range(50)))
        assert exchange.reads == 1
        exchange.price = "20100"
        await asyncio.sleep(0.7)  # the answer took 0.2 s
        assert (await markets.market_prices(exchange, BTC)).last == Decimal(20000)
        await asyncio.sleep(0.2)
        found = await markets.market_prices(exchange, BTC)
        assert (found.last, found.bid, found.ask) == (Decimal(20100), Decimal("19999.9"), Decimal("20000.1"))
        await markets.market_prices(exchange, "ETH/USDT")
        assert exchange.reads == 3

    loop.run_until_complete(work())


@pytest.mark.parametrize("error", ERRORS)
def test_those_who_wait_for_prices_share_a_failure_and_later_ones_ask_anew(
    loop: SimulatedLoop, exchange: Exchange, error: ExchangeError
) -> None:
    async def work() -> None:
        exchange.error = error
        asked = (markets.market_prices(exchange, BTC) for _ in range(10))
        outcomes = await asyncio.gather(*asked, return_exceptions=True)
        assert {type(outcome) for outcome in outcomes} == {type(error)}
        assert exchange.reads == 1
        exchange.error = None
        await asyncio.sleep(0.01)
        assert (await markets.market_prices(exchange, BTC)).last == Decimal(20000)

    loop.run_until_complete(work())


@pytest.mark.parametrize("book", [{}, {"bidPrice": "x", "askPrice": "1"}, {"bidPrice": "-1", "askPrice": "1"}])
def test_answer_without_prices_is_no_price(loop: SimulatedLoop, exchange: Exchange, book: dict[str, Any]) -> None:
    exchange.book = book
    with pytest.raises(OutcomeUnknown):
        loop.run_until_complete(markets.market_prices(exchange, BTC))


def test_empty_side_of_the_book_has_no_price(loop: SimulatedLoop, exchange: Exchange) -> None:
    exchange.book = {"bidPrice": "0.00", "askPrice": "0.00"}
    found = loop.run_until_complete(markets.market_prices(exchange, BTC))
    assert (found.bid, found.ask) == (Decimal(0), Decimal(0))


@pytest.mark.parametrize(
    ("listed", "name"),
    [
        ({"symbol": "币安人生USDT"}, "币安人生/USDT"),
        ({"symbol": "TSLAUSDT", "contractType": "TRADIFI_PERPETUAL"}, "TSLA/USDT"),
        ({"symbol": "BTCUSDT_261225", "contractType": "CURRENT_QUARTER"}, "BTC/USDT-261225"),
        ({"symbol": "BTCUSDC", "quoteAsset": "USDC", "marginAsset": "USDC"}, "BTC/USDC"),
        ({"symbol": "ETHBTC", "quoteAsset": "BTC", "marginAsset": "BTC"}, "ETH/BTC"),
        ({"symbol": "1000PEPEUSDT", "contractType": "A KIND THAT DOES NOT EXIST YET"}, "1000PEPE/USDT"),
    ],
)
def test_every_linear_contract_that_is_listed_trades(
    loop: SimulatedLoop, exchange: Exchange, listed: dict[str, str], name: str
) -> None:
    exchange.markets.append(a_market("", **listed))

    async def work() -> None:
        assert (await markets.symbol_filters(exchange, name)).symbol == name
        assert await markets.is_trading(exchange, name)
        assert (await markets.symbol_filters(exchange, BTC)).symbol == BTC

    loop.run_until_complete(work())


def test_contract_of_another_margin_is_not_ours(loop: SimulatedLoop, exchange: Exchange) -> None:
    exchange.markets.append(a_market("SOL", marginAsset="SOL"))

    async def work() -> None:
        with pytest.raises(NotFound):
            await markets.symbol_filters(exchange, "SOL/USDT")

    loop.run_until_complete(work())
