"""What happened on a symbol, as far back as it is asked for: complete, or an error. Reads; decides nothing.

The exchange's lists cover at most seven days a request, or thirty for funding here, and show at most 1,000 entries
of them: the newest by its documentation, the oldest by others' reports. So a list that is full is asked for again in
halves, which is right either way.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from shared.errors import OutcomeUnknown
from shared.exchange import transport
from shared.exchange.markets import venue_symbol

PAGE = 1000
READ_TIMEOUT_S = 3.0
_DAY_MS = 24 * 3600 * 1000
LIST_SPAN_MS = 7 * _DAY_MS - 1
"""The exchange's lists of orders and trades cover at most seven days a request."""
FUNDING_SPAN_MS = 30 * _DAY_MS
"""Paid at most every hour, thirty days of funding fit a page."""

_Row = dict[str, Any]
_Ask = Callable[[int, int], Awaitable[list[_Row]]]


async def trades(client: Any, symbol: str, start_ms: int, end_ms: int) -> list[_Row]:
    """Return the account's fills (Account Trade List), in the order in which they happened."""
    rows = await _everything(client, "fapiPrivateGetUserTrades", symbol, start_ms, end_ms)
    return sorted({int(row["id"]): row for row in rows}.values(), key=lambda row: int(row["id"]))


async def orders(client: Any, symbol: str, start_ms: int, end_ms: int) -> list[_Row]:
    """Return the account's regular orders (All Orders)."""
    return await _everything(client, "fapiPrivateGetAllOrders", symbol, start_ms, end_ms)


async def funding(client: Any, symbol: str, start_ms: int, end_ms: int) -> list[_Row]:
    """Return the account's funding payments on a symbol (Get Income History)."""
    rows = await _everything(
        client, "fapiPrivateGetIncome", symbol, start_ms, end_ms, span_ms=FUNDING_SPAN_MS, incomeType="FUNDING_FEE"
    )
    return list({str(row["tranId"]): row for row in rows}.values())


async def _everything(
    client: Any, method: str, symbol: str, start_ms: int, end_ms: int, *, span_ms: int = LIST_SPAN_MS, **also: Any
) -> list[_Row]:
    async def ask(first_ms: int, last_ms: int) -> list[_Row]:
        params = {"symbol": venue_symbol(symbol), "startTime": first_ms, "endTime": last_ms, "limit": PAGE} | also
        rows: list[_Row] = await transport.call(client, method, params, timeout_s=READ_TIMEOUT_S)
        return rows

    parts = await asyncio.gather(*(whole(ask, *span) for span in spans(start_ms, end_ms, span_ms=span_ms)))
    return [row for part in parts for row in part]


async def whole(ask: _Ask, first_ms: int, last_ms: int) -> list[_Row]:
    """Return all rows of a span; raise OutcomeUnknown where the list cannot show them all."""
    rows = await ask(first_ms, last_ms)
    if len(rows) < PAGE:
        return rows
    if first_ms >= last_ms:
        raise OutcomeUnknown("more happened in a millisecond than the exchange's list shows")
    middle_ms = (first_ms + last_ms) // 2
    early, late = await asyncio.gather(whole(ask, first_ms, middle_ms), whole(ask, middle_ms + 1, last_ms))
    return early + late


def spans(start_ms: int, end_ms: int, *, span_ms: int = LIST_SPAN_MS) -> Iterator[tuple[int, int]]:
    """Yield the spans that one request may cover, oldest first, the last one up to a little after the end."""
    while start_ms + span_ms < end_ms:
        yield start_ms, start_ms + span_ms
        start_ms += span_ms + 1
    yield start_ms, start_ms + span_ms
