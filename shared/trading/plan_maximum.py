"""Whether a balance has come near its plan's maximum, or above it. The one rule; tells nobody, and knows no clock.

A crossing counts once. It is over, and the next one counts again, when the balance is clearly below: a balance that
wavers about a limit crosses it once.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from shared.trading.arithmetic import exact

SLACK_PCT = Decimal(2)
"""How far below a limit, in percent of the maximum, a balance must fall before another crossing counts."""


@dataclass(frozen=True, slots=True)
class Crossings:
    """Since when a balance stands near its maximum, and above it; None while it does not."""

    near_since: datetime | None = None
    above_since: datetime | None = None


def follow(
    before: Crossings, balance_usd: Decimal, *, maximum_usd: Decimal | None, near_pct: Decimal, at: datetime
) -> Crossings:
    """Return the crossings after another balance; without a maximum there are none."""
    if maximum_usd is None:
        return Crossings()
    with exact():
        slack = maximum_usd * SLACK_PCT / 100
        near, above = maximum_usd * near_pct / 100, is_above(balance_usd, maximum_usd)
        return Crossings(
            near_since=_since(before.near_since, at, crossed=balance_usd >= near, below=balance_usd < near - slack),
            above_since=_since(before.above_since, at, crossed=above, below=balance_usd < maximum_usd - slack),
        )


def is_above(balance_usd: Decimal, maximum_usd: Decimal) -> bool:
    """Tell whether a balance is above the maximum: the maximum itself is within the plan."""
    return balance_usd > maximum_usd


def _since(before: datetime | None, at: datetime, *, crossed: bool, below: bool) -> datetime | None:
    if before is None:
        return at if crossed else None
    return None if below else before
