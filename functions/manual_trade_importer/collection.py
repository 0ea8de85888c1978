"""Reads the fills and incomes of one key that are not imported yet. Stores nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from functions.manual_trade_importer.symbol_search import SearchResult, find_on_futures, find_on_spot
from shared.exchange.account_fills import PAGE, AccountFill, AccountIncome, FuturesFills, SpotFills
from shared.models.exchange_key import ExchangeKey, TradeType
from shared.models.import_scan import ImportScan

FILLS_A_RUN = 500
PAGES_A_RUN = 40
LISTING_DELAY = timedelta(minutes=2)
"""A fill may be listed this late, after younger ones: newer fills are imported, and read once more by the next run."""


@dataclass(slots=True)
class CollectedFills:
    """The fills of one run, and the progress to save with them."""

    scan: ImportScan
    """To save when the run is complete and all of its fills are stored."""
    amounts: dict[str, Decimal]
    """The account's holdings, by asset, before the fills were read."""
    fills: list[AccountFill] = field(default_factory=list)
    """Ordered by time; some may have been imported before."""
    incomes: list[AccountIncome] = field(default_factory=list)
    """Funding and liquidation fees, the same way."""
    next_ids: dict[str, int] = field(default_factory=dict)
    """The first id of the next run, by symbol, once these are stored."""
    pages: int = 0
    weight: int = 0
    """The request weight of the run."""
    complete: bool = True
    """False when there was more than one run can store."""


async def collect(
    client: Any, key: ExchangeKey, *, before: ImportScan | None, cursors: Mapping[str, int], now: datetime
) -> CollectedFills:
    """Read the fills of a key since the last run."""
    fills: FuturesFills | SpotFills
    if key.trade_type is TradeType.FUTURES:
        fills = FuturesFills(client)
        holdings = await fills.holdings()
        found = await find_on_futures(fills, holdings, before, key=key, known=set(cursors), now=now)
    else:
        fills = SpotFills(client)
        holdings = await fills.holdings()
        found = find_on_spot(fills, holdings, before, key=key, known=set(cursors), now=now)
    collected = CollectedFills(scan=found.scan, amounts=holdings.amounts)
    incomes = (income for income in found.incomes if income.at >= key.created_at)
    collected.incomes += sorted(incomes, key=lambda income: income.at)
    for symbol in found.symbols:
        start = cursors.get(symbol)
        if start is None:
            start = await _first_id(fills, symbol, found, now)
        if start is not None:
            await _collect_symbol(fills, symbol, start, collected, key=key, now=now)
        if not collected.complete:
            break
    collected.weight = fills.weight
    collected.fills.sort(key=lambda fill: (fill.at, fill.trade_id))
    return collected


async def _first_id(fills: FuturesFills | SpotFills, symbol: str, found: SearchResult, now: datetime) -> int | None:
    # A spot pair's fills can be read from any id, so the first one need not be known.
    return await fills.first_id(symbol, found.since, now) if isinstance(fills, FuturesFills) else 0


async def _collect_symbol(
    fills: FuturesFills | SpotFills,
    symbol: str,
    start: int,
    collected: CollectedFills,
    *,
    key: ExchangeKey,
    now: datetime,
) -> None:
    next_id, final = None, True
    while True:
        limit = min(PAGE, FILLS_A_RUN - len(collected.fills))
        if limit <= 0 or collected.pages >= PAGES_A_RUN:
            collected.complete = False
            break
        page = await fills.fills(symbol, from_id=start, limit=limit)
        collected.pages += 1
        for fill in page:
            final = final and fill.at <= now - LISTING_DELAY
            if final:
                next_id = fill.trade_id + 1
        # Trades from before the key was stored are not imported.
        collected.fills += [fill for fill in page if fill.at >= key.created_at]
        if len(page) < limit:
            break
        start = page[-1].trade_id + 1
    if next_id is not None:
        collected.next_ids[symbol] = next_id
