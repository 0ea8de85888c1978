"""Finds the symbols whose fills have to be read, from the exchange's lists of the account. Imports nothing.

Futures: the income list names the symbols, and has funding and liquidation fees itself. Spot has no such list, so
changed amounts are used: a trade changes the account's amounts of both assets. Trades that leave no trace in them
(bought and sold again between two runs) are found by a sweep: each run also queries a few other pairs, until all have
been queried since the account last changed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from shared.exchange.account_fills import INCOME_DAYS, AccountHoldings, AccountIncome, FuturesFills, SpotFills
from shared.models.exchange_key import ExchangeKey
from shared.models.import_scan import ImportScan
from shared.observability import logger

OVERLAP = timedelta(hours=1)
"""Income may be listed late, so each search begins this long before the end of the last one."""
SEARCH_AFTER = timedelta(hours=24)
"""An account without changes is searched again after this long."""
PAIRS_PER_SWEEP = 10
"""Other pairs that each run queries: 200 of weight."""


@dataclass(frozen=True, slots=True)
class SearchResult:
    """The symbols to query, and the scan to save once all of their fills are imported."""

    symbols: list[str]
    since: datetime
    """Futures: a symbol without a cursor was not traded before this time."""
    scan: ImportScan
    incomes: list[AccountIncome] = field(default_factory=list)
    """Futures: funding and liquidation fees since then; some may have been imported before."""


async def find_on_futures(
    fills: FuturesFills,
    holdings: AccountHoldings,
    before: ImportScan | None,
    *,
    key: ExchangeKey,
    known: set[str],
    now: datetime,
) -> SearchResult:
    """Return the symbols that were traded since the last search, or since the key was created."""
    scan = _scan_after(holdings, before, key=key, now=now)
    start = max(key.created_at, scan.scanned_until - OVERLAP)
    earliest = now - timedelta(days=INCOME_DAYS)
    if _is_quiet(holdings, before) and now - scan.scanned_until < SEARCH_AFTER:
        return SearchResult([], start, scan)
    symbols = set(holdings.positions - known)
    if start < earliest:
        # The income list does not reach further back, so known symbols are queried again.
        logger.warning("import_reaches_back_too_far", api_key_id=scan.api_key_id, days=(now - start).days)
        start, symbols = earliest, symbols | known
    changes = await fills.wallet_changes(max(start, earliest), now)
    scan.scanned_until = now
    return SearchResult(sorted(symbols | changes.symbols), start, scan, changes.incomes)


def find_on_spot(
    fills: SpotFills,
    holdings: AccountHoldings,
    before: ImportScan | None,
    *,
    key: ExchangeKey,
    known: set[str],
    now: datetime,
) -> SearchResult:
    """Return the pairs that may have been traded since the account was last quiet, and the next pairs of the sweep."""
    scan = _scan_after(holdings, before, key=key, now=now)
    before_amounts = {asset: Decimal(amount) for asset, amount in scan.amounts.items()}
    ever = {*before_amounts, *holdings.amounts}
    pairs = fills.pairs()
    candidates = sorted(name for name, (base, quote) in pairs.items() if base in ever or quote in ever)
    likely: set[str] = set()
    if not _is_quiet(holdings, before):
        changed = {asset for asset in ever if holdings.amounts.get(asset, 0) != before_amounts.get(asset, 0)}
        likely = {name for name, assets in pairs.items() if changed.issuperset(assets)}
        likely |= {name for name in known if name not in pairs or pairs[name][1] in changed or not changed}
        scan.sweep_left = len(candidates)
    next_pairs = _next_pairs(candidates, after=scan.swept, count=min(PAIRS_PER_SWEEP, scan.sweep_left))
    if next_pairs:
        scan.swept, scan.sweep_left = next_pairs[-1], scan.sweep_left - len(next_pairs)
    if scan.quiet:
        scan.amounts = {asset: format(holdings.amounts.get(asset, Decimal(0)), "f") for asset in sorted(ever)}
    return SearchResult(sorted(likely | set(next_pairs)), key.created_at, scan)


def _scan_after(holdings: AccountHoldings, before: ImportScan | None, *, key: ExchangeKey, now: datetime) -> ImportScan:
    """Return the record of this run; it is quiet if the fingerprint is the same as before, since lists may lag."""
    scan = ImportScan(key.id, scanned_until=key.created_at)
    if before is not None:
        scan.deserialize(before.serialize())
    scan.quiet = before is not None and before.fingerprint == holdings.fingerprint
    scan.fingerprint, scan.checked_at = holdings.fingerprint, now
    return scan


def _is_quiet(holdings: AccountHoldings, before: ImportScan | None) -> bool:
    return before is not None and before.quiet and before.fingerprint == holdings.fingerprint


def _next_pairs(names: list[str], *, after: str, count: int) -> list[str]:
    later = [name for name in names if name > after]
    return [*later, *(name for name in names if name <= after)][:count]
