"""Detects when a balance comes near its plan's maximum, or exceeds it. Notifies nobody, and has no clock.

A crossing counts once, until the balance is clearly below the limit again: a balance that moves around a limit crosses
it once.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from shared.trading.arithmetic import exact

HYSTERESIS_PCT = Decimal(2)
"""How far below a limit, in percent of the maximum, a balance must fall before the next crossing counts."""


@dataclass(frozen=True, slots=True)
class Crossings:
    """When a balance came near its maximum, and above it; None while it is not."""

    near_since: datetime | None = None
    above_since: datetime | None = None


def update_crossings(
    before: Crossings, balance_usd: Decimal, *, maximum_usd: Decimal | None, near_pct: Decimal, at: datetime
) -> Crossings:
    """Return the crossings after a new balance; without a maximum there are none."""
    if maximum_usd is None:
        return Crossings()
    with exact():
        hysteresis = maximum_usd * HYSTERESIS_PCT / 100
        near, above = maximum_usd * near_pct / 100, is_above(balance_usd, maximum_usd)
        return Crossings(
            near_since=_since(
                before.near_since, at, crossed=balance_usd >= near, below=balance_usd < near - hysteresis
            ),
            above_since=_since(before.above_since, at, crossed=above, below=balance_usd < maximum_usd - hysteresis),
        )


def is_above(balance_usd: Decimal, maximum_usd: Decimal) -> bool:
    """Return whether a balance is above the maximum; the maximum itself is within the plan."""
    return balance_usd > maximum_usd


def _since(before: datetime | None, at: datetime, *, crossed: bool, below: bool) -> datetime | None:
    if before is None:
        return at if crossed else None
    return None if below else before
