"""The connections between the product and the exchange in this process: slow, and sometimes refused, cut or mangled."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from types import SimpleNamespace, TracebackType
from typing import Any

import aiohttp
import yarl

from local.paper_exchange.faults import FaultKind
from local.paper_exchange.server import Answer, Request
from local.simulation import workers
from local.simulation.chances import Chances
from local.simulation.containers import current_lane
from local.simulation.exchange import WatchedExchange


@dataclass(slots=True)
class ExchangeSession:
    """Replaces aiohttp's session: passes ccxt's requests to the exchange in this process."""

    exchange: WatchedExchange
    chances: Chances
    one_way_s: tuple[float, float]
    """How long a request is on its way, and an answer: at least, and at most."""
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
        await asyncio.sleep(dice.uniform(*self.one_way_s))
        # A request that has arrived is carried out, even when its sender no longer waits.
        serving = asyncio.get_running_loop().create_task(self.exchange.serve(request))
        self._serving.add(serving)
        serving.add_done_callback(self._serving.discard)
        answer, fault = await asyncio.shield(serving)
        await asyncio.sleep(dice.uniform(*self.one_way_s))
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
            current_lane(),
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
