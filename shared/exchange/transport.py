"""Sends requests through ccxt: one session per process, our error classes, the exchange's clock, the lane's limiter.

The only module that knows ccxt's clients for USD-M futures and spot. Knows no orders.
"""

from __future__ import annotations

import asyncio
import contextlib
import copy
import json
import ssl
from collections.abc import Callable
from contextvars import ContextVar
from functools import cache
from typing import Any, NoReturn
from weakref import WeakKeyDictionary

import aiohttp
import ccxt.async_support as ccxt_async
import certifi
from ccxt.base import errors as ccxt_errors

from shared.config import settings
from shared.errors import (
    AddressBanned,
    AddressRestricted,
    ClockSkewed,
    ExchangeAuthorizationFailed,
    ExchangeError,
    ExchangeThrottled,
    ExchangeUnavailable,
    OrderRateExceeded,
    OutcomeUnknown,
)
from shared.exchange import error_codes, lanes
from shared.exchange.server_clock import Moment, server_clock
from shared.observability import logger
from shared.process_state import on_reset, process_cache

IDLE_SOCKET_S = 10.0
"""A socket idle for longer is not reused: a POST on one that the peer has closed has an unknown outcome."""


_asked_at_ms: ContextVar[int] = ContextVar("asked_at_ms", default=0)
"""When the request of this task was sent, by the exchange's clock."""

_MEASURE_ATTEMPTS = 3
_MEASURE_TIMEOUT_S = 2.0
_resync_locks: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()
on_reset(_resync_locks.clear)

_session: aiohttp.ClientSession | None = None
_session_loop: asyncio.AbstractEventLoop | None = None


@cache
def _ssl_context() -> ssl.SSLContext:
    # Building one costs 23 ms, and ccxt would build one per instance.
    return ssl.create_default_context(cafile=certifi.where())


async def session() -> aiohttp.ClientSession:
    """Return this event loop's session, shared by every account, so that warm sockets are reused."""
    global _session, _session_loop  # noqa: PLW0603 - one per process, bound to its loop
    loop = asyncio.get_running_loop()
    if _session is None or _session.closed or _session_loop is not loop:
        source = settings().source_address
        connector = aiohttp.TCPConnector(
            ssl=_ssl_context(),
            limit=0,
            keepalive_timeout=IDLE_SOCKET_S,
            enable_cleanup_closed=True,
            local_addr=(source, 0) if source else None,
        )
        _session = aiohttp.ClientSession(connector=connector)
        _session_loop = loop
    return _session


async def close_session() -> None:
    """Close the shared session (tests and short-lived processes; a Lambda's ends with its container)."""
    global _session  # noqa: PLW0603 - see above
    if _session is not None:
        await _session.close()
        _session = None


@on_reset
def _drop_session() -> None:
    global _session, _session_loop  # noqa: PLW0603 - see above
    if _session is not None and _session_loop is not None and not _session_loop.is_closed():
        _session_loop.run_until_complete(_session.close())
    _session = _session_loop = None


class _LaneClient:
    """Overrides of both clients: the lane's limiter, our error classes, the exchange's clock."""

    lane = lanes.DEFAULT_LANE
    """The egress lane of its requests."""
    refusal: ExchangeAuthorizationFailed | None = None
    """The last refusal of the key, until it is taken."""

    def __del__(self) -> None:
        """Override ccxt's warning about an open session: it belongs to the process, not to this client."""

    def milliseconds(self) -> int:
        return server_clock.now_ms()

    def nonce(self) -> int:
        return server_clock.now_ms()

    async def fetch(
        self, url: str, method: str = "GET", headers: dict[str, str] | None = None, body: str | None = None
    ) -> Any:
        """Send one request if the lane's limiter permits it, and record its outcome there."""
        limiter = self._limiter(url)
        limiter.check(reads=method == "GET")
        _asked_at_ms.set(server_clock.now_ms())
        try:
            answer = await super().fetch(url, method, headers, body)  # type: ignore[misc]  # of ccxt's class beside it
        except ExchangeThrottled as error:
            limiter.record_refusal(error)
            raise
        except AddressRestricted:
            limiter.record_restriction()
            raise
        except ExchangeAuthorizationFailed as error:
            self.refusal = error
            raise
        limiter.record_success()
        return answer

    def _limiter(self, url: str) -> lanes.LaneLimiter:
        return lanes.limiter_of(self.lane, lanes.pool_of(_path_of(url)))

    def handle_errors(  # noqa: PLR0917 - ccxt calls it by position
        self,
        code: int,
        reason: str,
        url: str,
        method: str,
        headers: dict[str, str],
        body: str,
        response: object,
        request_headers: object,
        request_body: object,
    ) -> None:
        del reason, method, request_headers, request_body
        used = _header(headers, error_codes.USED_WEIGHT_HEADER)
        if used.isdigit() and not url.partition("?")[0].endswith(error_codes.USED_WEIGHT_INACCURATE):
            self._limiter(url).record_usage(int(used), asked_at_ms=_asked_at_ms.get())
        if code < error_codes.HTTP_OK_BELOW and not (isinstance(response, dict) and _code_of(response) is not None):
            return
        raise_for_answer(status=code, body=body, headers=headers)


class FuturesClient(_LaneClient, ccxt_async.binanceusdm):  # type: ignore[misc]
    """ccxt's USD-M futures client with our error classes."""


class SpotClient(_LaneClient, ccxt_async.binance):  # type: ignore[misc]
    """ccxt's spot client with our error classes."""


def _code_of(answer: dict[str, Any]) -> int | None:
    code = answer.get("code")
    with contextlib.suppress(TypeError, ValueError):
        number = int(code)  # type: ignore[arg-type]
        return number if number < 0 else None
    return None


def raise_for_answer(*, status: int, body: str, headers: dict[str, str] | None = None) -> None:
    """Raise the error that an HTTP response stands for, if any, with the exchange's code and text alone."""
    code, text = None, body
    with contextlib.suppress(ValueError):
        answer = json.loads(body)
        if isinstance(answer, dict):
            code, text = _code_of(answer), str(answer.get("msg", ""))
    found = error_codes.classify(status=status, code=code, text=text)
    if found is None:
        return
    message = f"HTTP {status}: {text[:200]}"
    if issubclass(found, ExchangeThrottled):
        raise found(message, code=code, retry_after_s=_wait_s(found, text, headers or {}))
    raise found(message, code=code)


def _wait_s(kind: type[ExchangeThrottled], text: str, headers: dict[str, str]) -> float:
    """Return the wait that the exchange asks for, or else the time until its next window."""
    header = _header(headers, "Retry-After")
    waits = [float(header)] if header.isdigit() else []
    if issubclass(kind, AddressBanned):
        until_ms = error_codes.banned_until_ms(text)
        waits += [] if until_ms is None else [(until_ms - server_clock.now_ms()) / 1000]
        return min(max(waits, default=error_codes.SHORTEST_BAN_S), error_codes.LONGEST_BAN_S)
    if issubclass(kind, OrderRateExceeded):
        return max(waits, default=error_codes.ORDER_RATE_WAIT_S)
    return max(waits, default=lanes.next_window_in_s())


def _header(headers: dict[str, str], name: str) -> str:
    return headers.get(name) or headers.get(name.lower()) or ""


async def open_client(
    client_class: Callable[..., Any], *, api_key: str, secret: str, timeout_ms: int, lane: str = lanes.DEFAULT_LANE
) -> Any:
    """Return a ccxt client on the shared session; its markets are not loaded."""
    client = copy.copy(_template(client_class))
    client.lane = lane
    client.apiKey, client.secret, client.timeout = api_key, secret, timeout_ms
    client.options = dict(client.options)
    client.session = await session()
    return client


def prepare() -> None:
    """Create the template of futures clients now rather than with the first account."""
    _template(FuturesClient)


@process_cache
def _template(client_class: Callable[..., Any]) -> Any:
    """Return the client that all others of its class are copied from, since building one takes 10 ms.

    A client's methods belong to its class and read its own key and secret, so copies share nothing but settings.
    """
    client = client_class(
        {
            "enableRateLimit": False,  # ccxt would limit each instance; the weight is per address, and limited by us
            "ssl_context": _ssl_context(),
            "enableLastHttpResponse": False,
            "enableLastJsonResponse": False,
            "options": {"fetchCurrencies": False, "fetchMargins": False, "warnOnFetchOpenOrdersWithoutSymbol": False},
        }
    )
    client.own_session = False
    base = settings().exchange_url.rstrip("/")
    if base:
        api = client.urls["api"]
        client.urls["api"] = {name: base + _path_of(url) for name, url in api.items() if isinstance(url, str)}
    return client


def _path_of(url: str) -> str:
    return "/" + url.split("/", 3)[3] if url.count("/") > 2 else ""  # noqa: PLR2004 - scheme://host/path


async def call(client: Any, name: str, params: dict[str, Any], *, timeout_s: float | None = None) -> Any:
    """Make one request by ccxt's name for it (`fapiPrivatePostOrder`) and return the exchange's JSON.

    Raise our ExchangeError classes only. A refused timestamp resyncs the clock, and the request is retried once, unless
    the caller chose the timestamp: then the caller must choose another.
    """
    measurements = server_clock.measurements
    try:
        return await _call_once(client, name, params, timeout_s=timeout_s)
    except ClockSkewed:
        in_sync = await resync_clock(client, since=measurements)
        if "timestamp" in params or not in_sync:
            raise
        return await _call_once(client, name, params, timeout_s=timeout_s)


async def resync_clock(client: Any, *, since: int) -> bool:
    """Measure the exchange's clock, and return whether that succeeded.

    `since` is the number of measurements when the refused request was signed: of many requests that are refused
    together one measures, and the others wait for its result.
    """
    async with _resync_lock():
        if server_clock.measurements == since:
            server_clock.in_sync = await _measure_clock(client)
            server_clock.measurements += 1
            logger.warning("clock_resynced", in_step=server_clock.in_sync, offset_ms=server_clock.offset_ms)
        return server_clock.in_sync


async def _measure_clock(client: Any) -> bool:
    for _ in range(_MEASURE_ATTEMPTS):
        asked = Moment.now()
        try:
            answer = await _call_once(client, "fapiPublicGetTime", {}, timeout_s=_MEASURE_TIMEOUT_S)
        except ExchangeError:
            return False
        if server_clock.update_from(server_time_ms=int(answer["serverTime"]), asked=asked, answered=Moment.now()):
            return True
    return False


def _resync_lock() -> asyncio.Lock:
    """Return this event loop's lock; a lock that another loop waits on cannot be shared."""
    return _resync_locks.setdefault(asyncio.get_running_loop(), asyncio.Lock())


async def _call_once(client: Any, name: str, params: dict[str, Any], *, timeout_s: float | None) -> Any:
    try:
        async with asyncio.timeout(timeout_s):
            answer = await getattr(client, name)(params)
    except ExchangeError:
        raise
    except TimeoutError as error:
        raise OutcomeUnknown(f"{name} timed out") from error
    except ccxt_errors.BaseError as error:
        _raise_as_ours(error, name)
    if not isinstance(answer, dict | list):
        # A truncated body is not JSON: the request may have been executed.
        raise OutcomeUnknown(f"{name} answered no JSON")
    return answer


def _raise_as_ours(error: ccxt_errors.BaseError, name: str) -> NoReturn:
    if isinstance(error.__cause__, aiohttp.ClientConnectorError):
        raise ExchangeUnavailable(f"{name}: connection refused") from error
    if isinstance(error, ccxt_errors.AuthenticationError):
        raise ExchangeAuthorizationFailed(f"{name}: credentials missing") from error
    # Time-outs, cut connections, answers that cannot be read.
    raise OutcomeUnknown(f"{name}: {type(error).__name__}") from error
