"""Which symbols are to be asked for fills, found from what the exchange says of the account. Imports nothing.

Futures: the changes of the wallet name the symbols. Spot has no such list, so the assets tell: a trade changes what
the account holds of both. What leaves no trace in them (bought and sold again between two looks) is found in turn, by
asking a few of the other pairs with each look until all have been asked since the account last changed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from shared.exchange.account_fills import INCOME_DAYS, AccountHoldings, FuturesFills, SpotFills
from shared.models.exchange_key import ExchangeKey
from shared.models.import_scan import ImportScan
from shared.observability import logger

OVERLAP = timedelta(hours=1)
"""Incomes may be listed late: each search begins so long before the end of the last one."""
SEARCH_AFTER = timedelta(hours=24)
"""An account that seems quiet is searched all the same after so long."""
SWEEP = 10
"""How many pairs are asked in turn with each look: 200 of weight."""


@dataclass(frozen=True, slots=True)
class Found:
    """The symbols to ask, and what to remember once all of their fills are imported."""

    symbols: list[str]
    since: datetime
    """A symbol that was not asked before was not traded before then (futures)."""
    scan: ImportScan


async def find_on_futures(
    fills: FuturesFills,
    holdings: AccountHoldings,
    before: ImportScan | None,
    *,
    key: ExchangeKey,
    known: set[str],
    now: datetime,
) -> Found:
    """Return the symbols that were traded since the last search, or since the key was made."""
    scan = _scan_after(holdings, before, key=key, now=now)
    start = max(key.created_at, scan.scanned_until - OVERLAP)
    earliest = now - timedelta(days=INCOME_DAYS)
    if _is_quiet(holdings, before) and now - scan.scanned_until < SEARCH_AFTER:
        return Found([], start, scan)
    symbols = set(holdings.positions - known)
    if start < earliest:
        # Nothing names what else was traded before; what is known is asked again.
        logger.warning("import_reaches_back_too_far", api_key_id=scan.api_key_id, days=(now - start).days)
        start, symbols = earliest, symbols | known
    symbols |= await fills.traded_symbols(max(start, earliest), now)
    scan.scanned_until = now
    return Found(sorted(symbols), start, scan)


def find_on_spot(
    fills: SpotFills,
    holdings: AccountHoldings,
    before: ImportScan | None,
    *,
    key: ExchangeKey,
    known: set[str],
    now: datetime,
) -> Found:
    """Return the pairs that may have been traded since the account was last quiet, and the next few in turn."""
    scan = _scan_after(holdings, before, key=key, now=now)
    kept = {asset: Decimal(amount) for asset, amount in scan.amounts.items()}
    ever = {*kept, *holdings.amounts}
    pairs = fills.pairs()
    in_turn = sorted(name for name, (base, quote) in pairs.items() if base in ever or quote in ever)
    likely: set[str] = set()
    if not _is_quiet(holdings, before):
        changed = {asset for asset in ever if holdings.amounts.get(asset, 0) != kept.get(asset, 0)}
        likely = {name for name, assets in pairs.items() if changed.issuperset(assets)}
        likely |= {name for name in known if name not in pairs or pairs[name][1] in changed or not changed}
        scan.sweep_left = len(in_turn)
    turn = _next_in_turn(in_turn, after=scan.swept, count=min(SWEEP, scan.sweep_left))
    if turn:
        scan.swept, scan.sweep_left = turn[-1], scan.sweep_left - len(turn)
    if scan.quiet:
        scan.amounts = {asset: format(holdings.amounts.get(asset, Decimal(0)), "f") for asset in sorted(ever)}
    return Found(sorted(likely | set(turn)), key.created_at, scan)


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


def _next_in_turn(names: list[str], *, after: str, count: int) -> list[str]:
    later = [name for name in names if name > after]
    return [*later, *(name for name in names if name <= after)][:count]
