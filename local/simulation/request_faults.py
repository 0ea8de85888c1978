"""Draws the faults of requests to the exchange, and bans, in place of the paper exchange's planned faults."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from local.paper_exchange.faults import Fault, FaultKind, Faults, parse_fault
from local.simulation.chances import Chances
from local.simulation.clock import SimulatedClock

_REACHABLE_WITHIN_S = 4.0
_FAULTS_IN_A_ROW = 3
"""With more faults within those seconds the exchange would be out of reach, and no bound can hold."""
_BAN_S = (2.0, 15.0)
_LISTING = "/fapi/v1/exchangeInfo"
_ORDERS = ("POST", "/fapi/v1/order")
_UNKNOWN_503 = "Unknown error, please check your request or try again later."
_CERTAIN_503 = "Service Unavailable."

_FaultSpec = dict[str, Any]

_ANY: tuple[_FaultSpec, ...] = (
    {"kind": "drop_before"},
    {"kind": "drop_after"},
    {"kind": "hang", "delayMs": 6000},
    {"kind": "http", "status": 500, "msg": "Internal Server Error"},
    {"kind": "http", "status": 502, "msg": "Bad Gateway"},
    {"kind": "http", "status": 502, "msg": "Bad Gateway", "doneAfterMs": 0},
    {"kind": "http", "status": 503, "msg": _UNKNOWN_503},
    {"kind": "http", "status": 503, "msg": _UNKNOWN_503, "doneAfterMs": 400},
    {"kind": "http", "status": 503, "msg": _CERTAIN_503},
    {"kind": "truncate"},
    {"kind": "code", "code": -1007},
    {"kind": "code", "code": -1007, "doneAfterMs": 100},
    {"kind": "code", "code": -1021},
    {"kind": "code", "code": -1008},
)
_ORDER: tuple[_FaultSpec, ...] = (
    {"kind": "late", "delayMs": 2500},
    {"kind": "partial"},
    {"kind": "no_average"},
    *[{"kind": "code", "code": -2019}] * 4,
)
_ALGO_ORDER: tuple[_FaultSpec, ...] = (
    {"kind": "late", "delayMs": 1200},
    {"kind": "late", "delayMs": 2500},
    {"kind": "code", "code": -2021},
    {"kind": "code", "code": -4120},
)
_NOT_FOUND: tuple[_FaultSpec, ...] = ({"kind": "code", "code": -2013},)
_MORE = {
    ("POST", "/fapi/v1/order"): _ORDER * 2,
    ("POST", "/fapi/v1/algoOrder"): _ALGO_ORDER * 2,
    ("GET", "/fapi/v1/order"): _NOT_FOUND * 6,
    ("GET", "/fapi/v1/algoOrder"): _NOT_FOUND * 6,
}


class RandomFaults(Faults):
    """Draws a fault for any request, in place of planned faults."""

    def __init__(self, clock: SimulatedClock, chances: Chances) -> None:
        super().__init__()
        self._clock = clock
        self._chances = chances
        self._recent: dict[str, list[float]] = defaultdict(list)
        self.address = ""
        """The address of the request that is being served."""
        self.bans: dict[str, list[tuple[int, int]]] = defaultdict(list)
        """Address → its bans, each from a time to another, in Unix milliseconds."""
        self.listing_fails_until_ms = 0
        """Until then Exchange Information is not answered."""
        self.overloaded_until_ms = 0
        """Until then no order is taken but those that close or reduce a position."""

    def take(
        self,
        method: str,
        path: str,
        api_key: str | None,
        parameters: Mapping[str, str],
    ) -> Fault | None:
        """Return the fault of this request, or None."""
        chances, dice = self._chances, self._chances.dice
        if not chances.on:
            return None
        now_ms = self._clock.time_ns() // 1_000_000
        bans = self.bans[self.address]
        if bans and now_ms < bans[-1][1]:
            return _banned(bans[-1][1])
        if chances.happens(chances.throttled / 10, "exchange: 418 -1003"):
            bans.append((now_ms, now_ms + int(dice.uniform(*_BAN_S) * 1000)))
            return _banned(bans[-1][1])
        if (refused := self._refused_for_a_while(method, path, parameters, now_ms)) is not None:
            return refused
        if api_key is None or self._has_many_faults(api_key) or dice.random() >= self._chance_of(path):
            return None
        spec = self._draw(method, path, dice)
        self._recent[api_key].append(self._clock.monotonic())
        fault = parse_fault(spec)
        detail = (
            str(fault.code)
            if fault.kind is FaultKind.CODE
            else str(fault.status)
            if fault.kind is FaultKind.HTTP
            else ""
        )
        done = ", done" if fault.done_after_ms is not None else ""
        chances.note(f"exchange: {fault.kind.value} {detail}{done}".rstrip())
        return fault

    def _refused_for_a_while(self, method: str, path: str, parameters: Mapping[str, str], now_ms: int) -> Fault | None:
        if path == _LISTING and now_ms < self.listing_fails_until_ms:
            return parse_fault({"kind": "http", "status": 503, "msg": _UNKNOWN_503})
        if now_ms < self.overloaded_until_ms and (method, path) == _ORDERS and parameters.get("reduceOnly") != "true":
            self._chances.note("exchange: overloaded")
            return parse_fault({"kind": "code", "code": -1008})
        return None

    def _chance_of(self, path: str) -> float:
        # A position is naked between these two requests, so they fail more often than others.
        is_decisive = path in {"/fapi/v1/order", "/fapi/v1/algoOrder"}
        return self._chances.exchange_fault * (2 if is_decisive else 1)

    def _draw(self, method: str, path: str, dice: random.Random) -> _FaultSpec:
        if self._chances.key_refused and dice.random() < self._chances.key_refused * 20:
            return {"kind": "code", "code": -2015}
        if self._chances.throttled and dice.random() < self._chances.throttled * 20:
            return {"kind": "code", "code": -1003, "status": 429}
        return dice.choice((*_ANY, *_MORE.get((method, path), ())))

    def _has_many_faults(self, api_key: str) -> bool:
        horizon = self._clock.monotonic() - _REACHABLE_WITHIN_S
        recent = self._recent[api_key] = [at for at in self._recent[api_key] if at > horizon]
        return len(recent) >= _FAULTS_IN_A_ROW


def _banned(until_ms: int) -> Fault:
    return parse_fault({"kind": "code", "code": -1003, "status": 418, "msg": f"banned until {until_ms}"})
