"""ccxt, made ours: one session per process, errors as our classes, the exchange's clock, the lane's limiter.

The only module that knows ccxt's class for USD-M futures and spot. It signs and sends; it does not know orders.
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

IDLE_SOCKET_S = 10.0
"""A socket idle for longer is not used again: a POST on one that the peer has closed has an unknown outcome."""


_asked_at_ms: ContextVar[int] = ContextVar("asked_at_ms", default=0)
"""When the request of this task was sent, by the exchange's clock."""

_MEASURE_ATTEMPTS = 3
_MEASURE_TIMEOUT_S = 2.0
_resync_locks: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()

_session: aiohttp.ClientSession | None = None
_session_loop: asyncio.AbstractEventLoop | None = None


@cache
def _ssl_context() -> ssl.SSLContext:
    # Building one costs 23 ms and ccxt would build one per instance.
    return ssl.create_default_context(cafile=certifi.where())


async def session() -> aiohttp.ClientSession:
    """Return this event loop's session, shared by every account, so that warm sockets are reused."""
    global _session, _session_loop  # noqa: PLW0603 - one per process, bound to its loop
    loop = asyncio.get_running_loop()
    if _session is None or _session.closed or _session_loop is not loop:
        connector = aiohttp.TCPConnector(
            ssl=_ssl_context(), limit=0, keepalive_timeout=IDLE_SOCKET_S, enable_cleanup_closed=True
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


class _Ours:
    """What both clients override: how an answer becomes an error, and where the clock comes from."""

    lane = lanes.DEFAULT_LANE
    """Whose address the requests leave from."""
    refusal: ExchangeAuthorizationFailed | None = None
    """The last refusal of the key, until somebody takes note of it."""

    def __del__(self) -> None:
        """Leave the session alone: it is the process's, not this client's (ccxt would ask for `close()`)."""

    def milliseconds(self) -> int:
        return server_clock.now_ms()

    def nonce(self) -> int:
        return server_clock.now_ms()

    async def fetch(
        self, url: str, method: str = "GET", headers: dict[str, str] | None = None, body: str | None = None
    ) -> Any:
        """Send one request, unless the lane forbids it, and tell the lane what came of it."""
        limiter = self._limiter(url)
        limiter.check(reads=method == "GET")
        _asked_at_ms.set(server_clock.now_ms())
        try:
            answer = await super().fetch(url, method, headers, body)  # type: ignore[misc]  # of ccxt's class beside it
        except ExchangeThrottled as error:
            limiter.record_refusal(error)
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
        if used.isdigit():
            self._limiter(url).record_usage(int(used), asked_at_ms=_asked_at_ms.get())
        if code < error_codes.HTTP_OK_BELOW and not (isinstance(response, dict) and _code_of(response) is not None):
            return
        raise_for_answer(status=code, body=body, headers=headers)


class FuturesClient(_Ours, ccxt_async.binanceusdm):  # type: ignore[misc]
    """ccxt's USD-M futures client with our error classes."""


class SpotClient(_Ours, ccxt_async.binance):  # type: ignore[misc]
    """ccxt's spot client with our error classes."""


def _code_of(answer: dict[str, Any]) -> int | None:
    code = answer.get("code")
    with contextlib.suppress(TypeError, ValueError):
        number = int(code)  # type: ignore[arg-type]
        return number if number < 0 else None
    return None


def raise_for_answer(*, status: int, body: str, headers: dict[str, str] | None = None) -> None:
    """Raise the error of an HTTP answer, if it is one. Only the exchange's code and text are kept."""
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
    """Return how long the exchange wants us to wait; where it does not say, until it counts anew."""
    header = _header(headers, "Retry-After")
    said = [float(header)] if header.isdigit() else []
    if issubclass(kind, AddressBanned):
        until_ms = error_codes.banned_until_ms(text)
        said += [] if until_ms is None else [(until_ms - server_clock.now_ms()) / 1000]
        return min(max(said, default=error_codes.SHORTEST_BAN_S), error_codes.LONGEST_BAN_S)
    if issubclass(kind, OrderRateExceeded):
        return max(said, default=error_codes.ORDER_RATE_WAIT_S)
    return max(said, default=lanes.next_window_in_s())


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
    """Make the client that accounts are copied from now rather than with the first account."""
    _template(FuturesClient)


@cache
def _template(client_class: Callable[..., Any]) -> Any:
    """Return the client that all others of its class are copied from: building one takes 10 ms, a copy none.

    A client's methods live on its class and read its own key and secret, so copies share nothing but settings.
    """
    client = client_class(
        {
            "enableRateLimit": False,  # its limiter delays each instance; the budget is per address, and ours
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

    Raise our ExchangeError classes only. A refused timestamp resyncs the clock; the request is tried once more, unless
    the caller chose the timestamp itself: then only the caller may choose another.
    """
    measurements = server_clock.measurements
    try:
        return await _call_once(client, name, params, timeout_s=timeout_s)
    except ClockSkewed:
        in_step = await resync_clock(client, since=measurements)
        if "timestamp" in params or not in_step:
            raise
        return await _call_once(client, name, params, timeout_s=timeout_s)


async def resync_clock(client: Any, *, since: int) -> bool:
    """Measure the exchange's clock against ours; False when that cannot be done well now.

    `since` is the count of measurements when the refused request was signed: of many that are refused together one
    measures, and the others wait for what it finds.
    """
    async with _resync_lock():
        if server_clock.measurements == since:
            server_clock.in_step = await _measure_clock(client)
            server_clock.measurements += 1
            logger.warning("clock_resynced", in_step=server_clock.in_step, offset_ms=server_clock.offset_ms)
        return server_clock.in_step


async def _measure_clock(client: Any) -> bool:
    for _ in range(_MEASURE_ATTEMPTS):
        asked = Moment.now()
        try:
            answer = await _call_once(client, "fapiPublicGetTime", {}, timeout_s=_MEASURE_TIMEOUT_S)
        except ExchangeError:
            return False
        if server_clock.learn(server_time_ms=int(answer["serverTime"]), asked=asked, answered=Moment.now()):
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
        _translate(error, name)
    if not isinstance(answer, dict | list):
        # A body that was cut off is not JSON: what was asked for has been done, or has not.
        raise OutcomeUnknown(f"{name} answered no JSON")
    return answer


def _translate(error: ccxt_errors.BaseError, name: str) -> NoReturn:
    if isinstance(error.__cause__, aiohttp.ClientConnectorError):
        raise ExchangeUnavailable(f"{name}: connection refused") from error
    if isinstance(error, ccxt_errors.AuthenticationError):
        raise ExchangeAuthorizationFailed(f"{name}: credentials missing") from error
    # Time-outs, cut connections, answers that cannot be read.
    raise OutcomeUnknown(f"{name}: {type(error).__name__}") from error
