"""A fault of a request counts among those that its worker has met, so that it explains what the worker fails at."""

from __future__ import annotations

import random

from local.simulation.chances import Chances
from local.simulation.clock import SimulatedClock
from local.simulation.request_faults import RandomFaults

API_KEY = "key"


def test_fault_that_is_drawn_for_a_request_is_among_those_met() -> None:
    chances = Chances(random.Random(1), exchange_fault=1.0)  # noqa: S311 - chance, not secrecy
    faults = RandomFaults(SimulatedClock(wall_s=1_767_600_000), chances)

    with chances.collected() as met:
        fault = faults.take("GET", "/fapi/v3/positionRisk", API_KEY, {})

    assert fault is not None
    assert len(met) == 1
    assert met[0].startswith(f"exchange: {fault.kind.value}")


def test_refusal_of_an_overloaded_exchange_is_among_those_met() -> None:
    clock = SimulatedClock(wall_s=1_767_600_000)
    chances = Chances(random.Random(1))  # noqa: S311 - chance, not secrecy
    faults = RandomFaults(clock, chances)
    faults.overloaded_until_ms = clock.time_ns() // 1_000_000 + 1_000

    with chances.collected() as met:
        assert faults.take("POST", "/fapi/v1/order", API_KEY, {}) is not None
        assert faults.take("GET", "/fapi/v1/order", API_KEY, {}) is None

    assert met == ["exchange: overloaded"]
