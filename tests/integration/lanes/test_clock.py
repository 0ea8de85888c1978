"""The exchange's clock: measured once for concurrent requests whose timestamps are refused, and only if reliable."""

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
    with ExchangeProcess.running(clock_offset_ms=AHEAD_MS) as exchange:
        yield exchange


@pytest.fixture
def exchange(running: ExchangeProcess, aws: object) -> Iterator[ExchangeProcess]:
    """An exchange whose clock is half a minute ahead of ours, which is not measured yet."""
    with environment(EXCHANGE_URL=running.url):
        yield running
    running.control("DELETE", "/paper/faults")


def read(exchange: ExchangeProcess, *, times: int = 1) -> list[object]:
    """Read the balance several times concurrently; return each result or error."""
    key = {"apiKey": secrets.token_hex(32), "secret": secrets.token_hex(32)}
    exchange.control("POST", "/paper/accounts", {**key, "balances": {"USDT": "100"}})

    async def fetch() -> list[object]:
        try:
            account = await FuturesAccount.open(api_key=key["apiKey"], secret=key["secret"])
            balances = (account.wallet_balance() for _ in range(times))
            return list(await asyncio.gather(*balances, return_exceptions=True))
        finally:
            await lanes.flush()
            await transport.close_session()

    return asyncio.run(fetch())


def is_right() -> bool:
    return abs(server_clock.now_ms() - AHEAD_MS - time.time() * 1000) < 250


def test_requests_that_are_refused_together_measure_once(exchange: ExchangeProcess) -> None:
    assert read(exchange, times=20) == [100] * 20
    assert server_clock.measurements == 1
    assert is_right()


def test_long_round_trip_is_not_trusted(exchange: ExchangeProcess) -> None:
    exchange.plan_fault("hang", TIME, "GET", delayMs=1_200)

    assert read(exchange) == [100]
    assert is_right()


def test_clock_that_cannot_be_measured_is_unchanged_and_the_request_fails(exchange: ExchangeProcess) -> None:
    exchange.control("PUT", "/paper/latency", {"ms": 1_100})
    try:
        (outcome,) = read(exchange)
    finally:
        exchange.control("PUT", "/paper/latency", {"ms": 0})

    assert isinstance(outcome, ClockSkewed)
    assert server_clock.offset_ms == 0


def test_requests_that_are_refused_together_give_up_together(exchange: ExchangeProcess) -> None:
    exchange.plan_fault("http", TIME, "GET", status=500, times=100)

    outcomes = read(exchange, times=10)

    assert {type(one) for one in outcomes} == {ClockSkewed}
    assert server_clock.measurements == 1


def test_offset_is_one_of_wall_clocks_and_survives_a_freeze(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = ServerClock(offset_ms=500)
    hour_later = time.time_ns() + 3600 * 10**9
    monkeypatch.setattr(time, "time_ns", lambda: hour_later)  # the monotonic clock stood still

    assert clock.now_ms() == hour_later // 1_000_000 + 500


@pytest.mark.parametrize(
    ("wall_ms", "elapsed_ms", "trusted"),
    [
        (80, 80, True),
        (80, 95, True),
        (1_500, 1_500, False),
        (900, 20, False),  # frozen between the two, or the wall's clock was set
        (20, 900, False),
        (-300, 40, False),
    ],
)
def test_measurement_is_trusted_only_if_both_clocks_agree(wall_ms: int, elapsed_ms: int, *, trusted: bool) -> None:
    clock, asked = ServerClock(), Moment(1_000_000, 5_000)
    answered = Moment(asked.wall_ms + wall_ms, asked.monotonic_ms + elapsed_ms)

    assert clock.update_from(server_time_ms=2_000_000, asked=asked, answered=answered) is trusted
    assert (clock.offset_ms != 0) is trusted
