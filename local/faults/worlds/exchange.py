"""The paper exchange in this process, behind unreliable connections, and a record of positions without a stop."""

from __future__ import annotations

import asyncio
import json
import random
from collections import defaultdict
from dataclasses import dataclass, field
from decimal import Decimal
from types import SimpleNamespace, TracebackType
from typing import Any

import aiohttp
import yarl

from local.faults.worlds import workers
from local.faults.worlds.chances import Chances
from local.faults.worlds.clock import SimulatedClock
from local.faults.worlds.trace import Trace
from local.paper_exchange.accounts import Account
from local.paper_exchange.faults import Fault, FaultKind, Faults, parse_fault
from local.paper_exchange.orders import OrderType, Side
from local.paper_exchange.server import Answer, PaperExchange, Request
from local.paper_exchange.venue import Venue

SYMBOL = "BTCUSDT"
_ONE_WAY_S = (0.002, 0.035)
_REACHABLE_WITHIN_S = 4.0
_FAULTS_IN_A_ROW = 3
"""With more faults within those seconds the exchange would be out of reach, and no bound can hold."""
_LAG_MS = 1_500
_BAN_S = (2.0, 15.0)
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
_LAGGING = {
    "/fapi/v1/userTrades": "time",
    "/fapi/v1/allOrders": "time",
    "/fapi/v1/openOrders": "time",
    "/fapi/v1/allAlgoOrders": "createTime",
    "/fapi/v1/openAlgoOrders": "createTime",
}
_STOPS = (OrderType.STOP, OrderType.STOP_MARKET)


@dataclass(slots=True)
class Naked:
    """A time in which an account held a position and no stop."""

    api_key: str
    began_ms: int
    by_owner: bool
    ended_ms: int | None = None

    def lasted_ms(self, now_ms: int, *, bans: list[tuple[int, int]]) -> int:
        """Return how long it lasted, without the bans, in which no request is possible."""
        ended_ms = self.ended_ms if self.ended_ms is not None else now_ms
        out_of_reach = sum(max(0, min(ended_ms, until_ms) - max(self.began_ms, from_ms)) for from_ms, until_ms in bans)
        return ended_ms - self.began_ms - out_of_reach


class RandomFaults(Faults):
    """Draws a fault for any request, in place of planned faults."""

    def __init__(self, clock: SimulatedClock, chances: Chances) -> None:
        super().__init__()
        self._clock = clock
        self._chances = chances
        self._recent: dict[str, list[float]] = defaultdict(list)
        self.bans: list[tuple[int, int]] = []

    def take(self, method: str, path: str, api_key: str | None) -> Fault | None:
        """Return the fault of this request, or None."""
        chances, dice = self._chances, self._chances.dice
        if not chances.on:
            return None
        now_ms = self._clock.time_ns() // 1_000_000
        if self.bans and now_ms < self.bans[-1][1]:
            return parse_fault(
                {"kind": "code", "code": -1003, "status": 418, "msg": f"banned until {self.bans[-1][1]}"}
            )
        if chances.happens(chances.throttled / 10, "exchange: 418 -1003"):
            until_ms = now_ms + int(dice.uniform(*_BAN_S) * 1000)
            self.bans.append((now_ms, until_ms))
            return parse_fault({"kind": "code", "code": -1003, "status": 418, "msg": f"banned until {until_ms}"})
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
        chances.happened[f"exchange: {fault.kind.value} {detail}{done}".rstrip()] += 1
        return fault

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


class WatchedExchange(PaperExchange):
    """The paper exchange, whose lists sometimes lag, with a record of positions without a stop."""

    def __init__(self, clock: SimulatedClock, chances: Chances, trace: Trace) -> None:
        super().__init__(Venue())
        self._clock = clock
        self.random_faults = RandomFaults(clock, chances)
        self.faults = self.random_faults
        self.controls.faults = self.random_faults
        self._chances = chances
        self._trace = trace
        self.naked: list[Naked] = []
        self._naked_now: dict[str, Naked] = {}
        self._positions: dict[str, list[tuple[int, Decimal]]] = defaultdict(list)
        self.without_stop_by_owner: set[str] = set()

    def run(self, request: Request, fault: Fault | None = None, *, checked_at_ms: int | None = None) -> Answer:
        """Run a request as the exchange does, then check the account's stop."""
        answer = super().run(request, fault, checked_at_ms=checked_at_ms)
        self._trace.record(self._clock.monotonic(), request, fault, answer.status, answer.body)
        if request.method != "GET":
            self.check_stop(request.api_key)
            return answer
        lags = request.path in _LAGGING or request.path == "/fapi/v3/positionRisk"
        if lags and answer.status == 200 and self._chances.happens(self._chances.exchange_fault / 2, "exchange: lags"):  # noqa: PLR2004
            return self._lagging(request, answer)
        return answer

    def move_price(self, price: Decimal) -> None:
        """Move the market, then check every account's stop."""
        self.controls.set_price(SYMBOL, {"price": str(price)}, self.now_ms())
        for api_key in self.venue.accounts:
            self.check_stop(api_key)

    def check_stop(self, api_key: str | None) -> None:
        """Record whether the account's position has a stop now."""
        account = self.venue.find_account(api_key)
        if account is None:
            return
        now_ms, amount = self._clock.time_ns() // 1_000_000, account.position(SYMBOL).amount
        known = self._positions[account.api_key]
        if not known or known[-1][1] != amount:
            known.append((now_ms, amount))
        naked = self._naked_now.get(account.api_key)
        if amount and not _protected(account, amount):
            if naked is None:
                naked = Naked(account.api_key, now_ms, account.api_key in self.without_stop_by_owner)
                self._naked_now[account.api_key] = naked
                self.naked.append(naked)
        elif naked is not None:
            naked.ended_ms = now_ms
            del self._naked_now[account.api_key]
            self.without_stop_by_owner.discard(account.api_key)

    def _lagging(self, request: Request, answer: Answer) -> Answer:
        rows, now_ms = json.loads(answer.body), self.now_ms()
        if request.path in _LAGGING:
            rows = [row for row in rows if row[_LAGGING[request.path]] < now_ms - _LAG_MS]
        else:
            horizon_ms = self._clock.time_ns() // 1_000_000 - _LAG_MS
            before = [amount for at_ms, amount in self._positions[request.api_key or ""] if at_ms < horizon_ms]
            was = before[-1] if before else Decimal(0)
            rows = [{**row, "positionAmt": str(was)} for row in rows] if was else []
        return Answer(answer.status, json.dumps(rows).encode(), answer.headers)


def _protected(account: Account, amount: Decimal) -> bool:
    closing = Side.SELL if amount > 0 else Side.BUY
    return any(
        algo.order_type in _STOPS and algo.side is closing and (algo.close_position or algo.quantity >= abs(amount))
        for algo in account.open_algos(SYMBOL)
    )


@dataclass(slots=True)
class ExchangeSession:
    """Replaces aiohttp's session: passes ccxt's requests to the exchange in this process."""

    exchange: WatchedExchange
    chances: Chances
    closed: bool = False
    headers: dict[str, str] = field(default_factory=dict)
    _serving: set[asyncio.Task[Any]] = field(default_factory=set)

    def get(self, url: yarl.URL, **sent: Any) -> _PendingResponse:
        """GET."""
        return _PendingResponse(self, "GET", url, sent)

    def post(self, url: yarl.URL, **sent: Any) -> _PendingResponse:
        """POST."""
        return _PendingResponse(self, "POST", url, sent)

    def put(self, url: yarl.URL, **sent: Any) -> _PendingResponse:
        """PUT."""
        return _PendingResponse(self, "PUT", url, sent)

    def delete(self, url: yarl.URL, **sent: Any) -> _PendingResponse:
        """DELETE."""
        return _PendingResponse(self, "DELETE", url, sent)

    async def close(self) -> None:
        """Mark it as closed."""
        self.closed = True

    async def send(self, request: Request) -> _Response:
        """Deliver a request and return its answer, unless the connection breaks on the way."""
        dice = self.chances.dice
        await workers.take_step()
        if self.chances.happens(self.chances.exchange_fault / 20, "exchange: connection refused"):
            raise aiohttp.ClientConnectorError(_ADDRESS, OSError(111, "refused"))  # type: ignore[arg-type]
        await asyncio.sleep(dice.uniform(*_ONE_WAY_S))
        # A request that has arrived is carried out, even when its sender no longer waits.
        serving = asyncio.get_running_loop().create_task(self.exchange.serve(request))
        self._serving.add(serving)
        serving.add_done_callback(self._serving.discard)
        answer, fault = await asyncio.shield(serving)
        await asyncio.sleep(dice.uniform(*_ONE_WAY_S))
        await workers.take_step()
        if fault is not None and fault.kind in {FaultKind.DROP_BEFORE, FaultKind.DROP_AFTER}:
            raise aiohttp.ServerDisconnectedError
        return _Response(answer, is_cut=fault is not None and fault.kind is FaultKind.TRUNCATE)


_ADDRESS = SimpleNamespace(host="exchange", port=443, is_ssl=True, ssl=True)


class _PendingResponse:
    """The context manager of `async with session.get(…)`, which sends the request."""

    def __init__(self, session: ExchangeSession, method: str, url: yarl.URL, sent: dict[str, Any]) -> None:
        self._session = session
        self._request = Request(
            method,
            url.raw_path,
            url.raw_query_string,
            (sent.get("data") or b"").decode(),
            (sent.get("headers") or {}).get("X-MBX-APIKEY"),
            "lane-1",
        )

    async def __aenter__(self) -> _Response:
        return await self._session.send(self._request)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None


@dataclass(slots=True)
class _Response:
    answer: Answer
    is_cut: bool
    reason: str = ""

    @property
    def status(self) -> int:
        return int(self.answer.status)

    @property
    def headers(self) -> dict[str, str]:
        return {**self.answer.headers, "Content-Type": self.answer.content_type}

    @property
    def content(self) -> bytes:
        return self.answer.body

    async def text(self, errors: str = "strict") -> str:
        if self.is_cut:
            raise aiohttp.ClientPayloadError("the body was cut off")
        return self.answer.body.decode(errors=errors)
