"""A follower's own settings for its entries: how they are sized, and what caps them. Reads nothing.

The risk profile stays the limit of them all: no setting lets an entry lose more at its stop than the profile's
percentage, `BelowMinimum.MINIMUM` aside.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Final


class SizingType(StrEnum):
    """What an entry's amount is calculated from."""

    RISK = "RISK"
    """The profile's percentage of equity, lost at the stop."""
    NOTIONAL = "NOTIONAL"
    """A fixed amount of the quote asset."""
    EQUITY = "EQUITY"
    """A notional of so many percent of equity."""


class BelowMinimum(StrEnum):
    """What becomes of an entry whose amount is below the exchange's minimum."""

    SKIP = "SKIP"
    """Nothing is opened."""
    MINIMUM = "MINIMUM"
    """The minimum is opened, if it loses less than twice the profile's percentage at the stop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LossLimit:
    """How much of its wallet the account may lose by our executions before the follower opens nothing more."""

    day_pct: Decimal | None = None
    """In any 24 hours, in percent."""
    week_pct: Decimal | None = None
    """In any 7 days, in percent."""
    close: bool = False
    """Whether the follower's open position is closed too."""

    def __post_init__(self) -> None:
        if self.day_pct is None and self.week_pct is None:
            raise ValueError("a loss limit is for a day, for a week, or for both")


@dataclass(frozen=True, slots=True, kw_only=True)
class EntrySettings:
    """A follower's choices; the defaults are those of a follower that has made none."""

    sizing: SizingType = SizingType.RISK
    value: Decimal | None = None
    """With NOTIONAL in the quote asset, with EQUITY in percent; None with RISK."""
    max_notional: Decimal | None = None
    """In the quote asset."""
    max_leverage: Decimal | None = None
    """A multiple of equity: the largest notional of the position."""
    below_minimum: BelowMinimum = BelowMinimum.SKIP
    loss_limit: LossLimit | None = None

    def __post_init__(self) -> None:
        if (self.value is None) != (self.sizing is SizingType.RISK):
            raise ValueError("NOTIONAL and EQUITY have a value, and RISK has none")
        for number in (self.value, self.max_notional, self.max_leverage):
            if number is not None and number <= 0:
                raise ValueError("a setting must be greater than 0")


PROFILE_ALONE: Final = EntrySettings()
"""The settings of a follower that has chosen nothing but its risk profile."""
