"""The exchange's clock: measured when it refuses our timestamps, once for all requests, and only well."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Iterator

import pytest

from shared.errors import ClockSkewed
from shared.exchange import lanes, transport
from shared.exchange.futures import FuturesAccount
from shared.exchange.server_clock import Moment, ServerClock, server_clock
from tests.environment import environment
from tests.integration.paper_exchange.exchange_process import ExchangeProcess

AHEAD_MS = 30_000
TIME = "/fapi/v1/time"


@pytest.fixture(scope="module")
def running() -> Iterator[ExchangeProcess]:
    exchange = ExchangeProcess().start()
    exchange.set(clock_offset_ms=AHEAD_MS)
    yield exchange
    exchange.stop()


@pytest.fixture
def exchange(running: ExchangeProcess, aws: object) -> Iterator[ExchangeProcess]:
    """An exchange whose clock runs half a minute ahead of ours, which we do not know."""
    with environment(EXCHANGE_URL=running.url):
        yield running
    running.control("DELETE", "/paper/faults")


def read(exchange: ExchangeProcess, *, at_once: int = 1) -> list[object]:
    """Read the balance, several times side by side; return what came of each."""
    key = {"apiKey": secrets.token_hex(32), "secret": secrets.token_hex(32)}
    exchange.control("POST", "/paper/accounts", {**key, "balances": {"USDT": "100"}})

    async def ask() -> list[object]:
        try:
            account = await FuturesAccount.open(api_key=key["apiKey"], secret=key["secret"])
            balances = (account.wallet_balance() for _ in range(at_once))
            return list(await asyncio.gather(*balances, return_exceptions=True))
        finally:
            await lanes.flush()
            await transport.close_session()

    return asyncio.run(ask())


def is_right() -> bool:
    return abs(server_clock.now_ms() - AHEAD_MS - time.time() * 1000) < 250


def test_requests_that_are_refused_together_measure_once(exchange: ExchangeProcess) -> None:
    assert read(exchange, at_once=20) == [100] * 20
    assert server_clock.measurements == 1
    assert is_right()


def test_round_trip_that_took_long_is_not_believed(exchange: ExchangeProcess) -> None:
    exchange.plan_fault("hang", TIME, "GET", delayMs=1_200)

    assert read(exchange) == [100]
    assert is_right()


def test_clock_that_cannot_be_measured_well_stays_and_the_refusal_stands(exchange: ExchangeProcess) -> None:
    exchange.control("PUT", "/paper/latency", {"ms": 1_100})
    try:
        (outcome,) = read(exchange)
    finally:
        exchange.control("PUT", "/paper/latency", {"ms": 0})

    assert isinstance(outcome, ClockSkewed)
    assert server_clock.offset_ms == 0


def test_requests_that_are_refused_together_give_up_together(exchange: ExchangeProcess) -> None:
    exchange.plan_fault("http", TIME, "GET", status=500, times=100)

    outcomes = read(exchange, at_once=10)

    assert {type(one) for one in outcomes} == {ClockSkewed}
    assert server_clock.measurements == 1


def test_offset_is_one_of_wall_clocks_and_survives_a_freeze(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = ServerClock(offset_ms=500)
    hour_later = time.time_ns() + 3600 * 10**9
    monkeypatch.setattr(time, "time_ns", lambda: hour_later)  # the monotonic clock stood still

    assert clock.now_ms() == hour_later // 1_000_000 + 500


@pytest.mark.parametrize(
    ("wall_ms", "elapsed_ms", "believed"),
    [
        (80, 80, True),
        (80, 95, True),
        (1_500, 1_500, False),
        (900, 20, False),  # frozen between the two, or the wall's clock was set
        (20, 900, False),
        (-300, 40, False),
    ],
)
def test_measurement_is_believed_only_if_both_clocks_agree(wall_ms: int, elapsed_ms: int, *, believed: bool) -> None:
    clock, asked = ServerClock(), Moment(1_000_000, 5_000)
    answered = Moment(asked.wall_ms + wall_ms, asked.monotonic_ms + elapsed_ms)

    assert clock.update_from(server_time_ms=2_000_000, asked=asked, answered=answered) is believed
    assert (clock.offset_ms != 0) is believed
