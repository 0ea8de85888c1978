"""Whether an account's losses by our executions have reached its follower's limit, and until when. Reads nothing.

A loss is what executions have lost, booked and open, in a rolling window that ends now, in percent of the wallet at the
window's beginning. Money that the owner moves in or out is no execution's result, so it is never a loss.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from shared.trading.arithmetic import exact
from shared.trading.entry_settings import LossLimit

DAY: Final = timedelta(hours=24)
WEEK: Final = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class BookedResult:
    """What one execution has earned, in the margin asset."""

    closed_at: datetime
    """By the exchange's clock."""
    profit: Decimal
    """After fees, funding included; negative for a loss."""
    wallet: Decimal
    """The wallet's balance after it."""


@dataclass(frozen=True, slots=True)
class LimitReached:
    """The limit is reached."""

    until: datetime | None
    """When enough of the booked losses will have left their windows; None while the open loss alone reaches it."""


@dataclass(frozen=True, slots=True)
class AccountLosses:
    """What an account has lost: its booked results of the last eight days, and what it would lose by closing now."""

    results: Sequence[BookedResult]
    open_profit: Decimal
    wallet: Decimal
    """The balance now, for a window before and in which nothing was booked."""

    def reached(self, limit: LossLimit, *, now: datetime) -> LimitReached | None:
        """Return until when the limit is reached; None if it is not."""
        if not self._is_reached(limit, now):
            return None
        return LimitReached(next((at for at in self._departures(limit, now) if not self._is_reached(limit, at)), None))

    def _departures(self, limit: LossLimit, now: datetime) -> Iterator[datetime]:
        """Yield when each result leaves each window, the earliest first."""
        windows = [window for window, _ in _windows(limit)]
        leaving = {result.closed_at + window for result in self.results for window in windows}
        yield from sorted(at for at in leaving if at > now)

    def _is_reached(self, limit: LossLimit, now: datetime) -> bool:
        return any(self._loses(pct, window, now) for window, pct in _windows(limit))

    def _loses(self, pct: Decimal, window: timedelta, now: datetime) -> bool:
        begin = now - window
        with exact():
            booked = sum((one.profit for one in self.results if begin < one.closed_at <= now), Decimal(0))
            loss = -(booked + self.open_profit)
            return loss > 0 and loss * 100 >= pct * self._wallet_at(begin, now)

    def _wallet_at(self, begin: datetime, now: datetime) -> Decimal:
        """Return the wallet at a window's beginning: after the last result before it, or before the first one in it."""
        by_time = sorted(self.results, key=lambda one: one.closed_at)
        before = [one for one in by_time if one.closed_at <= begin]
        if before:
            return before[-1].wallet
        within = [one for one in by_time if one.closed_at <= now]
        return within[0].wallet - within[0].profit if within else self.wallet


def _windows(limit: LossLimit) -> list[tuple[timedelta, Decimal]]:
    windows = ((DAY, limit.day_pct), (WEEK, limit.week_pct))
    return [(window, pct) for window, pct in windows if pct is not None]
