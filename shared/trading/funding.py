"""Calculates one position's share of an account's funding payments. Fetches nothing, stores nothing.

Perpetual contracts settle funding on whole hours UTC: every eight hours as a rule, every four, two or one for some
contracts and times (Binance, "Introduction to Funding Rates" and its announcements on settlement frequency). It is paid
on the position at that moment; an entry up to 15 seconds later may still be charged (same source).
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from shared.trading.arithmetic import exact

LATE_ENTRY = timedelta(seconds=15)
"""An entry this long after the hour may still pay for it."""
POSTED_WITHIN = timedelta(seconds=60)
"""A payment is dated at its hour or up to this long after; a later one counts at its own time."""


@dataclass(frozen=True, slots=True)
class Income:
    """One change of the account's wallet that is part of no fill; negative when paid."""

    amount: Decimal
    at: datetime


@dataclass(frozen=True, slots=True)
class FundingPayment(Income):
    """One payment on a symbol, for the account's whole position."""

    @property
    def due_at(self) -> datetime:
        """The whole hour that the payment is for."""
        hour = whole_hour(self.at)
        return hour if self.at - hour <= POSTED_WITHIN else self.at


@dataclass(frozen=True, slots=True)
class Holding:
    """The amounts held from a moment on: ours, and the account's total."""

    at: datetime
    ours: Decimal
    total: Decimal


def may_have_funding(opened_at: datetime, closed_at: datetime) -> bool:
    """Return whether a position was open on a whole hour."""
    return whole_hour(closed_at) >= opened_at - LATE_ENTRY


def funding_span(opened_at: datetime, closed_at: datetime) -> tuple[datetime, datetime]:
    """Return the first and last time at which a position's payments may be dated."""
    return opened_at - LATE_ENTRY, closed_at + POSTED_WITHIN


def own_funding(
    payments: Iterable[FundingPayment], *, holdings: Sequence[Holding], traded_at: Iterable[datetime]
) -> Decimal:
    """Return our share of an account's payments, in proportion to our part of the position at that time.

    `holdings` are oldest first, the first one is our entry. `traded_at` are the times of all fills on the symbol: a
    payment for the hour just before our entry is ours only without a fill in between, because the account was flat
    then.
    """
    opened_at, since = holdings[0].at, [one.at for one in holdings]
    traded = tuple(traded_at)
    own = Decimal(0)
    with exact():
        for payment in payments:
            due_at = payment.due_at
            if opened_at - LATE_ENTRY <= due_at < opened_at and not any(due_at <= at < opened_at for at in traded):
                due_at = opened_at
            known = bisect_right(since, due_at)
            held = holdings[known - 1] if known else None
            if held is not None and held.ours > 0:
                own += payment.amount * held.ours / max(held.total, held.ours)
    return own


def whole_hour(moment: datetime) -> datetime:
    """Return the last whole hour, UTC, up to a time."""
    return moment.replace(minute=0, second=0, microsecond=0)
