"""Reads where a symbol's market has been, minute by minute: public, and one answer for every position in the symbol."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any

from shared.exchange import responses, transport
from shared.trading.symbols import venue_symbol
from shared.trading.touch import LATE_BY, Candle, SymbolCandles

MOST_ROWS = 499
"""As many as weigh 2; up to 99 weigh 1."""
_MINUTE = timedelta(minutes=1)
_DAY = timedelta(days=1)
_TIMEOUT_S = 5.0


async def read_candles(
    symbol: str, *, since: datetime, now: datetime, with_mark: bool, days_since: datetime | None = None
) -> SymbolCandles:
    """Return the candles of a symbol's last price from a time on, as far back as eight hours; raise ExchangeError.

    `with_mark` reads those of the mark price as well, `days_since` those of whole days from then on, as far back as a
    year. The last candle lasts still: it is as it was when it was read.
    """
    client = await transport.open_client(
        transport.FuturesClient, api_key="", secret="", timeout_ms=int(_TIMEOUT_S * 1000)
    )
    rows = min((now - since + LATE_BY) // _MINUTE + 2, MOST_ROWS)
    params = {"symbol": venue_symbol(symbol), "interval": "1m", "limit": rows}
    number_of_days = 0 if days_since is None else min((now - days_since) // _DAY + 2, MOST_ROWS)
    by_days = params | {"interval": "1d", "limit": number_of_days}
    contract, mark, days = await asyncio.gather(
        _read(client, "fapiPublicGetKlines", params),
        _read(client, "fapiPublicGetMarkPriceKlines", params) if with_mark else _none(),
        _read(client, "fapiPublicGetKlines", by_days) if number_of_days else _none(),
    )
    return SymbolCandles(contract=contract, mark=mark, days=days)


async def _read(client: Any, method: str, params: dict[str, Any]) -> list[Candle]:
    return responses.candles(await transport.call(client, method, params, timeout_s=_TIMEOUT_S))


async def _none() -> list[Candle]:
    return []
