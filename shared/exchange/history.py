"""Reads a symbol's orders, fills and incomes since a given time: all of them, or an error. Decides nothing.

A request covers at most seven days (thirty for incomes here) and returns at most 1,000 entries: the newest by the
exchange's documentation, the oldest by reports of users. So a span whose page is full is read again in two halves.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from shared.errors import OutcomeUnknown
from shared.exchange import transport
from shared.trading.symbols import venue_symbol

PAGE = 1000
READ_TIMEOUT_S = 3.0
_DAY_MS = 24 * 3600 * 1000
LIST_SPAN_MS = 7 * _DAY_MS - 1
"""The exchange's lists of orders and trades cover at most seven days a request."""
INCOME_SPAN_MS = 30 * _DAY_MS
"""Funding is paid every hour at most, so thirty days fit into a page."""
FUNDING, SPECIAL_FUNDING, LIQUIDATION_FEE = "FUNDING_FEE", "SPECIAL_FUNDING_FEE", "INSURANCE_CLEAR"
"""The exchange's names of incomes; special funding stands for the dividends of a stock."""

_Row = dict[str, Any]
_Fetch = Callable[[int, int], Awaitable[list[_Row]]]


async def trades(client: Any, symbol: str, start_ms: int, end_ms: int) -> list[_Row]:
    """Return the account's fills (Account Trade List), in the order in which they happened."""
    rows = await _fetch_spans(client, "fapiPrivateGetUserTrades", symbol, start_ms, end_ms)
    return sorted({int(row["id"]): row for row in rows}.values(), key=lambda row: int(row["id"]))


async def orders(client: Any, symbol: str, start_ms: int, end_ms: int) -> list[_Row]:
    """Return the account's regular orders (All Orders)."""
    return await _fetch_spans(client, "fapiPrivateGetAllOrders", symbol, start_ms, end_ms)


async def incomes(client: Any, kind: str, symbol: str, *, start_ms: int, end_ms: int) -> dict[str, _Row]:
    """Return the account's incomes of one kind on a symbol (Get Income History), by the ids of their transactions."""
    rows = await _fetch_spans(
        client, "fapiPrivateGetIncome", symbol, start_ms, end_ms, span_ms=INCOME_SPAN_MS, incomeType=kind
    )
    return {str(row["tranId"]): row for row in rows}


async def _fetch_spans(
    client: Any, method: str, symbol: str, start_ms: int, end_ms: int, *, span_ms: int = LIST_SPAN_MS, **params: Any
) -> list[_Row]:
    async def fetch(first_ms: int, last_ms: int) -> list[_Row]:
        query = {"symbol": venue_symbol(symbol), "startTime": first_ms, "endTime": last_ms, "limit": PAGE} | params
        rows: list[_Row] = await transport.call(client, method, query, timeout_s=READ_TIMEOUT_S)
        return rows

    parts = await asyncio.gather(*(fetch_all(fetch, *span) for span in spans(start_ms, end_ms, span_ms=span_ms)))
    return [row for part in parts for row in part]


async def fetch_all(fetch: _Fetch, first_ms: int, last_ms: int) -> list[_Row]:
    """Return all rows of a span; raise OutcomeUnknown if one millisecond has more than a page."""
    rows = await fetch(first_ms, last_ms)
    if len(rows) < PAGE:
        return rows
    if first_ms >= last_ms:
        raise OutcomeUnknown("more happened in a millisecond than the exchange's list shows")
    middle_ms = (first_ms + last_ms) // 2
    early, late = await asyncio.gather(fetch_all(fetch, first_ms, middle_ms), fetch_all(fetch, middle_ms + 1, last_ms))
    return early + late


def request_count(start_ms: int, end_ms: int, *, span_ms: int = LIST_SPAN_MS) -> int:
    """Return how many requests a time takes while none of its pages is full."""
    return sum(1 for _ in spans(start_ms, end_ms, span_ms=span_ms))


def spans(start_ms: int, end_ms: int, *, span_ms: int = LIST_SPAN_MS) -> Iterator[tuple[int, int]]:
    """Yield the spans that one request may cover, oldest first; the last one may reach beyond the end."""
    while start_ms + span_ms < end_ms:
        yield start_ms, start_ms + span_ms
        start_ms += span_ms + 1
    yield start_ms, start_ms + span_ms
