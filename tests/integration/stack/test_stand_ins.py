"""The stand-ins answer programs and pages of this machine only: a foreign page could move prices and read messages."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from aiohttp import ClientSession, web

from local.paper_exchange.server import PaperExchange
from local.paper_exchange.venue import Venue
from local.stripe.server import StripeStandIn
from local.telegram.server import TelegramStandIn
from tests.integration.services import free_port

STAND_INS: dict[str, tuple[Callable[[], web.BaseRunner], list[tuple[str, str]]]] = {
    "the paper exchange": (
        lambda: web.ServerRunner(web.Server(PaperExchange(Venue()).handle)),
        [("PUT", "/paper/prices/BTCUSDT"), ("GET", "/paper/accounts/any"), ("GET", "/fapi/v1/ping")],
    ),
    "Stripe": (
        lambda: web.AppRunner(StripeStandIn().app()),
        [("POST", "/stand-in/subscriptions"), ("GET", "/stand-in/requests"), ("GET", "/v1/prices")],
    ),
    "Telegram": (
        lambda: web.AppRunner(TelegramStandIn().app()),
        [("POST", "/stand-in/updates"), ("GET", "/stand-in/messages"), ("POST", "/botany/getMe")],
    ),
}


@pytest.mark.parametrize("name", STAND_INS)
def test_foreign_pages_and_names_are_refused_at_every_path(name: str) -> None:
    make, requests = STAND_INS[name]
    port = free_port()

    async def statuses(headers: dict[str, str]) -> list[int]:
        found = []
        async with ClientSession() as session:
            for method, path in requests:
                url = f"http://127.0.0.1:{port}{path}"
                async with session.request(method, url, headers=headers, data=b"{}") as answer:
                    found.append(answer.status)
        return found

    async def run() -> None:
        runner = make()
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        try:
            for foreign in (
                {"Origin": "https://evil.example.com"},
                {"Origin": "null"},
                {"Host": "evil.example.com"},
                {"Host": f"evil.example.com:{port}", "Origin": f"http://evil.example.com:{port}"},
            ):
                assert await statuses(foreign) == [403] * len(requests)
            for local in ({}, {"Host": f"localhost:{port}"}, {"Origin": "http://127.0.0.1:3000"}):
                assert 403 not in await statuses(local)
        finally:
            await runner.cleanup()

    asyncio.run(run())
