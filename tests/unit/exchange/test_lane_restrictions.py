"""The halt of a lane whose address the exchange refuses with 451: written once, and again if the write fails."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from pynamodb.exceptions import UpdateError

from shared.exchange import lanes
from shared.exchange.lanes import LaneLimiter
from shared.models.trading_switch import TradingSwitch


class Switches:
    """Records halts; the first ones fail."""

    def __init__(self) -> None:
        self.failures = 0
        self.tried: list[str] = []
        self.halted: list[str] = []

    def halt(self, scope: str, *, reason: str) -> None:
        self.tried.append(scope)
        if len(self.tried) <= self.failures:
            raise UpdateError
        self.halted.append(f"{scope} {reason}")


@pytest.fixture
def switches(monkeypatch: pytest.MonkeyPatch) -> Iterator[Switches]:
    switches = Switches()
    monkeypatch.setattr(TradingSwitch, "halt", switches.halt)
    monkeypatch.setattr(LaneLimiter, "_write", _nothing)
    yield switches
    lanes.forget()


async def _nothing(*_: Any, **__: Any) -> None:
    """Leave the lane's other records alone."""


HALTED = ["lane#lane-7 ADDRESS_RESTRICTED"]


@pytest.mark.rings("LaneRestrictedAlarm")
def test_halt_is_written_once_for_many_refusals(switches: Switches, capsys: pytest.CaptureFixture[str]) -> None:
    async def work() -> None:
        limiter = LaneLimiter("lane-7#spot")
        for _ in range(5):
            limiter.record_restriction()
            await asyncio.sleep(0)
        await limiter.flush()
        limiter.record_restriction()
        await limiter.flush()

    asyncio.run(work())
    assert switches.halted == HALTED
    assert switches.tried == ["lane#lane-7"]
    assert capsys.readouterr().out.count('"lane_restricted":[1.0]') == 1


def test_failed_write_is_repeated_when_the_invocation_ends(switches: Switches) -> None:
    switches.failures = 1

    async def work() -> None:
        limiter = LaneLimiter("lane-7")
        limiter.record_restriction()
        await limiter.flush()

    asyncio.run(work())
    assert switches.halted == HALTED


def test_write_that_keeps_failing_is_repeated_with_the_next_refusal(
    switches: Switches, capsys: pytest.CaptureFixture[str]
) -> None:
    switches.failures = 4

    async def work() -> None:
        limiter = LaneLimiter("lane-7")
        for _ in range(3):
            limiter.record_restriction()
            await limiter.flush()

    asyncio.run(work())
    assert switches.halted == HALTED
    assert capsys.readouterr().out.count('"lane_restricted":[1.0]') == 1


def test_lane_that_is_served_again_is_not_halted(switches: Switches) -> None:
    switches.failures = 2

    async def work() -> None:
        limiter = LaneLimiter("lane-7")
        limiter.record_restriction()
        await limiter.flush()
        limiter.record_success()
        await limiter.flush()

    asyncio.run(work())
    assert switches.halted == []


def test_restriction_after_a_served_request_halts_again(switches: Switches) -> None:
    async def work() -> None:
        limiter = LaneLimiter("lane-7")
        limiter.record_restriction()
        await limiter.flush()
        limiter.record_success()
        limiter.record_restriction()
        await limiter.flush()

    asyncio.run(work())
    assert switches.halted == HALTED * 2
