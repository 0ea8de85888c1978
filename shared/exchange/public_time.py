"""Asks the exchange for its time, which needs no key: whether it answers at all from where this process is."""

from __future__ import annotations

from shared.clock import to_ms, utc_now
from shared.exchange import transport

_TIMEOUT_S = 5.0


async def read_clock_offset_ms(lane: str) -> int:
    """Return the exchange's clock minus ours in milliseconds, the way there included; raise ExchangeError."""
    client = await transport.open_client(
        transport.FuturesClient, api_key="", secret="", timeout_ms=int(_TIMEOUT_S * 1000), lane=lane
    )
    answer = await transport.call(client, "fapiPublicGetTime", {}, timeout_s=_TIMEOUT_S)
    server_ms = int(answer["serverTime"])
    return server_ms - to_ms(utc_now())
