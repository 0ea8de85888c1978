"""Which answers tell how much weight our address has used."""

from __future__ import annotations

import asyncio

import pytest

from shared.exchange import lanes, transport
from shared.exchange.server_clock import server_clock

BASE = "https://fapi.binance.com"


async def seen_after(url: str) -> int:
    client = await transport.open_client(transport.FuturesClient, api_key="", secret="", timeout_ms=1_000)
    headers = {"X-MBX-USED-WEIGHT-1M": "1234"}
    transport._asked_at_ms.set(server_clock.now_ms())
    client.handle_errors(200, "OK", url, "GET", headers, "{}", {}, None, None)
    seen = lanes.limiter_of(lanes.DEFAULT_LANE).weight.seen
    await transport.close_session()
    return seen


@pytest.mark.parametrize(
    ("path", "seen"),
    [
        ("/fapi/v1/time", 1234),
        ("/fapi/v1/ticker/price?symbol=BTCUSDT", 1234),
        ("/fapi/v1/ticker/bookTicker?symbol=BTCUSDT", 0),
        ("/fapi/v1/ticker/bookTicker", 0),
        ("/fapi/v2/ticker/price", 0),
    ],
)
def test_answers_whose_count_is_not_accurate_are_ignored(path: str, seen: int) -> None:
    lanes.forget()
    assert asyncio.run(seen_after(BASE + path)) == seen
    lanes.forget()
