"""Reads what a strategy's symbol earned on its leader's account, through the report key. Stores nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from shared.exchange.account_fills import AccountFill, AccountIncome, FuturesFills
from shared.trading.symbols import venue_symbol

PAGE: Final = 500
PAGES_A_RUN: Final = 40


@dataclass(frozen=True, slots=True)
class LeaderHistory:
    """The fills and incomes of one symbol from a time until now, oldest first."""

    fills: tuple[AccountFill, ...]
    incomes: tuple[AccountIncome, ...]
    amounts: Mapping[str, Decimal]
    """The wallet's balances, by asset, before the fills were read."""
    complete_until: datetime
    """Every fill before this time was read."""
    weight: int

    def is_complete(self, now: datetime) -> bool:
        """Return whether the history reaches the time at which it was read."""
        return self.complete_until >= now


async def read_history(client: Any, symbol: str, *, since: datetime, now: datetime) -> LeaderHistory:
    """Return the symbol's history from `since` until `now`, or what forty pages of fills hold of it."""
    reader, name = FuturesFills(client), venue_symbol(symbol)
    holdings = await reader.holdings()
    changes = await reader.wallet_changes(since, now)
    fills: list[AccountFill] = []
    complete_until = now
    next_id = await reader.first_id(name, since, now)
    for _ in range(PAGES_A_RUN):
        if next_id is None:
            break
        page = await reader.fills(name, from_id=next_id, limit=PAGE)
        fills += page
        next_id = page[-1].trade_id + 1 if len(page) == PAGE else None
    if next_id is not None:
        # More fills of the last moment may follow.
        complete_until = fills[-1].at
    return LeaderHistory(
        fills=tuple(sorted((fill for fill in fills if fill.at >= since), key=lambda fill: (fill.at, fill.trade_id))),
        incomes=tuple(
            sorted(
                (income for income in changes.incomes if income.venue_symbol == name and income.at >= since),
                key=lambda income: income.at,
            )
        ),
        amounts=holdings.amounts,
        complete_until=complete_until,
        weight=reader.weight,
    )
