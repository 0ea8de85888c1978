"""The HTTP server: authenticates a request, runs its route, applies faults. Knows no trading rule."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote

from aiohttp import web

from local.loopback import REFUSAL, is_local
from local.paper_exchange import (
    account_routes,
    market_controls,
    market_routes,
    matching,
    order_routes,
    price_moves,
    settlement,
    signing,
    spot_routes,
    state,
)
from local.paper_exchange.accounts import Account, FurtherKey
from local.paper_exchange.calls import Access, Call, Route
from local.paper_exchange.control import Controls
from local.paper_exchange.control_values import BadControlRequest, ban_ms
from local.paper_exchange.encoding import encoded
from local.paper_exchange.faults import Fault, FaultKind, Faults
from local.paper_exchange.params import Params
from local.paper_exchange.refusals import Refusal
from local.paper_exchange.responses import without_average
from local.paper_exchange.venue import Venue
from local.paper_exchange.weights import Pool, RequestLimits

_JSON = "application/json;charset=UTF-8"
_POOLS = {pool.value: pool for pool in Pool}
_INACCURATE_BY = 10_000
"""Added to the used weight of answers that the exchange says not to rely on, so that whoever does is found out."""
_RUN_AT_ONCE = (FaultKind.HANG, FaultKind.DROP_AFTER, FaultKind.TRUNCATE, FaultKind.PARTIAL, FaultKind.NO_AVERAGE)


@dataclass(slots=True)
class Answer:
    """One response."""

    status: int
    body: bytes
    headers: dict[str, str]
    content_type: str = _JSON


@dataclass
class Request:
    """One request as it arrived."""

    method: str
    path: str
    query: str
    body: str
    api_key: str | None
    address: str

    @cached_property
    def parameters(self) -> dict[str, str]:
        """The parameters of query and body; the body's win."""
        values = dict(parse_qsl(self.query, keep_blank_values=True))
        if self.body:
            values.update(parse_qsl(self.body, keep_blank_values=True))
        return values


class PaperExchange:
    """One exchange: its venue, its routes, and its planned faults."""

    def __init__(self, venue: Venue, state_file: Path | None = None) -> None:
        self.venue = venue
        self.faults = Faults()
        self.controls = Controls(venue, self.faults)
        self._limits = RequestLimits()
        self._state_file = state_file
        self._routes = {
            **market_routes.routes(self.now_ms()),
            **account_routes.ROUTES,
            **order_routes.ROUTES,
            **spot_routes.ROUTES,
        }

    def now_ms(self) -> int:
        """Return the exchange's time."""
        return int(time.time() * 1000) + self.venue.settings.clock_offset_ms

    def _follow_clock(self, now_ms: int) -> None:
        """Carry out what the time alone brings about."""
        matching.expire_good_till(self.venue, now_ms)
        matching.fill_refilled(self.venue, now_ms)
        price_moves.book_due_funding(self.venue, now_ms)
        settlement.deliver_due(self.venue, now_ms)

    def save(self) -> bool:
        """Write the state file, if there is one; return whether there is."""
        if self._state_file is None:
            return False
        state.save(self.venue, self._state_file)
        return True

    async def handle(self, web_request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request."""
        if not is_local(host=web_request.headers.get("Host"), origin=web_request.headers.get("Origin")):
            return web.Response(status=HTTPStatus.FORBIDDEN, text=REFUSAL)
        raw_path, _, query = web_request.raw_path.partition("?")
        body = (await web_request.read()).decode("utf-8", "replace") if web_request.can_read_body else ""
        if raw_path.startswith("/paper"):
            return self._control(web_request.method, raw_path, body)
        request = Request(
            web_request.method, raw_path, query, body, web_request.headers.get("X-MBX-APIKEY"), web_request.remote or ""
        )
        answer, fault = await self.serve(request)
        if fault is not None and fault.kind in (FaultKind.DROP_BEFORE, FaultKind.DROP_AFTER):
            return _cut(web_request)
        if fault is not None and fault.kind is FaultKind.TRUNCATE:
            return await _send_half(web_request, answer)
        return web.Response(
            status=answer.status, body=answer.body, headers={**answer.headers, "Content-Type": answer.content_type}
        )

    async def serve(self, request: Request) -> tuple[Answer, Fault | None]:
        """Run a request with its planned fault, and return the answer when it is due.

        Closing the connection, where the fault says so, is left to the caller.
        """
        arrived = time.monotonic()
        self._count(request)
        fault = self.faults.take(request.method, request.path, request.api_key, request.parameters)
        answer = await self._answer(request, fault)
        if fault is not None and fault.kind is FaultKind.HANG:
            await asyncio.sleep(fault.delay_ms / 1000)
        wait_s = self.controls.latency_ms / 1000 - (time.monotonic() - arrived)
        if wait_s > 0:
            await asyncio.sleep(wait_s)
        return answer, fault

    def _count(self, request: Request) -> None:
        account = self.venue.find_account(request.api_key)
        if account is not None:
            name = f"{request.method} {request.path}"
            account.requests[name] = account.requests.get(name, 0) + 1

    async def _answer(self, request: Request, fault: Fault | None) -> Answer:
        """Run the request, unless the fault prevents it."""
        if fault is None or fault.kind in _RUN_AT_ONCE:
            return self.run(request, fault)
        if fault.done_after_ms is not None and fault.kind in (FaultKind.HTTP, FaultKind.CODE):
            self._run_after_answering(request, fault.done_after_ms / 1000)
        match fault.kind:
            case FaultKind.HTTP:
                return Answer(fault.status, fault.msg.encode(), {}, "text/plain;charset=UTF-8")
            case FaultKind.CODE:
                wait_s = fault.retry_after_s
                return _refused(Refusal(fault.code, msg=fault.msg, status=fault.status, retry_after_s=wait_s), {})
            case FaultKind.LATE:
                return await self._run_late(request, fault)
            case _:
                return Answer(HTTPStatus.OK, b"", {})

    def _run_after_answering(self, request: Request, delay_s: float) -> None:
        """Run the request later, though its sender got an error."""
        arrived_ms = self.now_ms()
        asyncio.get_running_loop().call_later(delay_s, lambda: self.run(request, checked_at_ms=arrived_ms))

    async def _run_late(self, request: Request, fault: Fault) -> Answer:
        """Run the request after the delay; its window was checked when it arrived, as at a gateway."""
        arrived_ms = self.now_ms()
        await asyncio.sleep(fault.delay_ms / 1000)
        checked_at_ms = None if self.venue.settings.refuse_late_past_recv_window else arrived_ms
        return self.run(request, fault, checked_at_ms=checked_at_ms)

    def run(self, request: Request, fault: Fault | None = None, *, checked_at_ms: int | None = None) -> Answer:
        """Check the request and run its route."""
        if request.address in self.venue.restricted_addresses:
            return _refused(Refusal(0), {})
        route = self._routes.get((request.method, request.path))
        if route is None:
            return _not_found(request)
        now_ms = self.now_ms()
        headers: dict[str, str] = {}
        self._follow_clock(now_ms)
        try:
            values = request.parameters
            self._take_limits(request, route, values, headers, now_ms)
            fills_part = fault is not None and fault.kind is FaultKind.PARTIAL
            call = Call(self.venue, Params(values), now_ms, None, fills_part=fills_part)
            if route.access is not Access.PUBLIC:
                call.caller_key = self._identify(request, route, values, checked_at_ms or now_ms)
                call.caller = self.venue.find_account(request.api_key)
            result = route.handler(call)
        except Refusal as refusal:
            return _refused(refusal, headers)
        if fault is not None and fault.kind is FaultKind.NO_AVERAGE:
            result = [without_average(row) for row in result] if isinstance(result, list) else without_average(result)
        body = result if isinstance(result, bytes) else encoded(result)
        return Answer(HTTPStatus.OK, body, headers)

    def weight_of(self, request: Request) -> int:
        """Return what the request weighs; 0 for an unknown one."""
        route = self._routes.get((request.method, request.path))
        return route.weight_for(request.parameters) if route is not None else 0

    def _take_limits(
        self, request: Request, route: Route, values: dict[str, str], headers: dict[str, str], now_ms: int
    ) -> None:
        weight = route.weight_for(values)
        settings = self.venue.settings
        pool = _POOLS.get(request.path[: request.path.find("/", 1)], Pool.SPOT)
        used = self._limits.take_weight(request.address, pool, weight, settings=settings, now_ms=now_ms)
        shown = used if route.counts_accurately else used + _INACCURATE_BY
        headers["X-SAPI-USED-IP-WEIGHT-1M" if pool is Pool.WALLET else "X-MBX-USED-WEIGHT-1M"] = str(shown)
        if route.orders and request.api_key is not None:
            # Orders are counted by account, whichever of its keys they come through.
            account = self.venue.find_account(request.api_key)
            counted = account.api_key if account is not None else request.api_key
            headers.update(self._limits.take_orders(counted, route, settings, now_ms))

    def _identify(self, request: Request, route: Route, values: dict[str, str], now_ms: int) -> Account | FurtherKey:
        key = signing.find_key(self.venue, request.api_key)
        signing.check_time(values.get("timestamp"), values.get("recvWindow"), now_ms)
        signing.check_signature(key, request.query, request.body, values.get("signature"))
        permissions = key.permissions
        is_futures = request.path.startswith("/fapi")
        if is_futures and not permissions.enable_futures:
            raise Refusal(-2015)
        trades = route.access in (Access.TRADE, Access.SPOT_TRADE)
        if trades and not (permissions.can_trade and (is_futures or permissions.enable_spot)):
            raise Refusal(-2015)
        return key

    def _control(self, method: str, raw_path: str, body: str) -> web.Response:
        """Answer a control request, which is never delayed and never gets a fault."""
        parts = [unquote(part) for part in raw_path.strip("/").split("/")[1:]]
        try:
            status, result = self._run_control(method, parts, _json_object(body))
        except BadControlRequest as error:
            status, result = error.status, {"error": str(error)}
        except (TypeError, ValueError) as error:
            status, result = HTTPStatus.BAD_REQUEST, {"error": f"bad request: {error}"}
        return web.Response(status=status, body=json.dumps(result).encode(), content_type="application/json")

    def _run_control(self, method: str, parts: list[str], body: dict[str, Any]) -> tuple[int, Any]:
        controls, now_ms = self.controls, self.now_ms()
        self._follow_clock(now_ms)
        actions: dict[tuple[str, str, int], Callable[[], Any]] = {
            ("GET", "accounts", 1): lambda: [controls.snapshot(a) for a in self.venue.accounts.values()],
            ("GET", "accounts", 2): lambda: controls.snapshot(controls.find_account(parts[1])),
            ("PUT", "accounts", 2): lambda: controls.change_account(parts[1], body, now_ms),
            ("DELETE", "accounts", 2): lambda: controls.delete_account(parts[1]),
            ("GET", "books", 1): lambda: market_controls.books_json(self.venue),
            ("PUT", "books", 2): lambda: market_controls.set_book(self.venue, parts[1], body),
            ("DELETE", "books", 2): lambda: market_controls.remove_book(self.venue, parts[1]),
            ("DELETE", "books", 1): self.venue.books.clear,
            ("PUT", "funding", 2): lambda: market_controls.set_funding(self.venue, parts[1], body, now_ms),
            ("DELETE", "funding", 1): self.venue.funding.clear,
            ("POST", "deleveraging", 2): lambda: market_controls.deleverage(self.venue, parts[1], body, now_ms),
            ("PUT", "restrictions", 2): lambda: self.venue.restricted_addresses.add(parts[1]),
            ("DELETE", "restrictions", 1): self.venue.restricted_addresses.clear,
            ("PUT", "listing", 1): lambda: market_controls.set_listing(self.venue, body),
            ("PUT", "symbols", 2): lambda: market_controls.change_symbol(self.venue, parts[1], body),
            ("DELETE", "symbols", 1): self.venue.changes.clear,
            ("POST", "settlements", 2): lambda: market_controls.settle_symbol(self.venue, parts[1], now_ms),
            ("GET", "prices", 1): controls.prices,
            ("PUT", "prices", 2): lambda: controls.set_price(parts[1], body, now_ms),
            ("PUT", "latency", 1): lambda: controls.set_latency(body),
            ("GET", "faults", 1): self.faults.as_json,
            ("POST", "faults", 1): lambda: controls.plan_fault(body),
            ("DELETE", "faults", 1): self.faults.clear,
            ("GET", "settings", 1): lambda: controls.change_settings({}),
            ("POST", "settings", 1): lambda: controls.change_settings(body),
            ("POST", "funding", 1): lambda: controls.book_funding(body, now_ms),
            ("GET", "limits", 1): lambda: self._limits.used_weights(now_ms),
            ("DELETE", "limits", 1): self._limits.reset,
            ("PUT", "bans", 2): lambda: self._limits.ban(parts[1], until_ms=now_ms + ban_ms(body)),
            ("POST", "state", 1): lambda: {"saved": self.save()},
            ("GET", "health", 1): lambda: {"status": "ok"},
        }
        if (method, parts[:1], len(parts)) == ("POST", ["accounts"], 1):
            return HTTPStatus.CREATED, controls.create_account(body, now_ms)
        if (method, parts[:1], parts[2:]) == ("POST", ["accounts"], ["keys"]):
            return HTTPStatus.CREATED, controls.create_further_key(parts[1], body, now_ms)
        action = actions.get((method, parts[0] if parts else "", len(parts)))
        if action is None:
            raise BadControlRequest("no such control", HTTPStatus.NOT_FOUND)
        result = action()
        return HTTPStatus.OK, {} if result is None else result


def _json_object(body: str) -> dict[str, Any]:
    parsed = json.loads(body) if body.strip() else {}
    if not isinstance(parsed, dict):
        raise BadControlRequest("the body must be a JSON object")
    return parsed


def _refused(refusal: Refusal, headers: dict[str, str]) -> Answer:
    body = encoded({"code": refusal.code, "msg": refusal.msg})
    if refusal.retry_after_s is not None:
        headers = {**headers, "Retry-After": str(refusal.retry_after_s)}
    return Answer(refusal.status, body, headers)


def _not_found(request: Request) -> Answer:
    return _refused(Refusal(-5000, request.path, request.method), {})


def _cut(request: web.BaseRequest) -> web.StreamResponse:
    """Close the connection without any response."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


async def _send_half(request: web.BaseRequest, answer: Answer) -> web.StreamResponse:
    """Announce the whole body, send half of it, and close the connection."""
    response = web.StreamResponse(
        status=answer.status,
        headers={**answer.headers, "Content-Type": answer.content_type, "Content-Length": str(len(answer.body))},
    )
    await response.prepare(request)
    await response.write(answer.body[: len(answer.body) // 2])
    if request.transport is not None:
        request.transport.close()
    return response
