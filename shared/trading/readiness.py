"""Whether an exchange key's account may be traded, and what deserves a warning. The one rule; asks and stores nothing.

The order executor judges by it before every entry, the key inspector once a day.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from shared.trading.execution import DenialReason

HOLDS_FOR = timedelta(hours=26)
"""How long a verdict counts: a day, and what the next day's inspection may take with its retries."""

MAX_CLOCK_OFFSET_MS = 1_000
"""A clock that is further off the exchange's is worth a warning: requests are stamped by the measured offset."""


class KeyWarning(StrEnum):
    """What does not keep a key from being traded, and should not stay so."""

    IP_UNRESTRICTED = "IP_UNRESTRICTED"
    """The key works from any address; the exchange takes such keys' trading rights away after a while."""
    CLOCK_OFF = "CLOCK_OFF"


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountSetup:
    """How a key and its account are set up at the exchange."""

    can_trade: bool
    futures_enabled: bool
    withdrawals_enabled: bool
    portfolio_margin: bool
    hedge_mode: bool
    multi_assets_margin: bool
    ip_restricted: bool


@dataclass(frozen=True, slots=True)
class Verdict:
    """Ready, or every reason why not; the gravest comes first."""

    reasons: tuple[DenialReason, ...]
    warnings: tuple[KeyWarning, ...] = ()

    @property
    def ready(self) -> bool:
        """Tell whether the account may be traded."""
        return not self.reasons


UNAUTHORIZED = Verdict((DenialReason.KEY_UNAUTHORIZED,))
"""The exchange refuses the key itself."""


def judge_account(
    setup: AccountSetup, *, wallet_balance: Decimal | None, clock_offset_ms: int | None = None
) -> Verdict:
    """Return whether an account of this setup may be traded; None stands for what was not read, and is not judged.

    `clock_offset_ms` is the exchange's clock minus ours.
    """
    refusals = (
        (setup.withdrawals_enabled, DenialReason.WITHDRAWALS_ENABLED),
        (setup.portfolio_margin, DenialReason.PORTFOLIO_MARGIN),
        (not (setup.futures_enabled and setup.can_trade), DenialReason.FUTURES_DISABLED),
        (setup.hedge_mode, DenialReason.HEDGE_MODE),
        (setup.multi_assets_margin, DenialReason.MULTI_ASSETS_MARGIN),
        (wallet_balance is not None and wallet_balance <= 0, DenialReason.NO_EQUITY),
    )
    clock_off = clock_offset_ms is not None and abs(clock_offset_ms) > MAX_CLOCK_OFFSET_MS
    warnings = ((not setup.ip_restricted, KeyWarning.IP_UNRESTRICTED), (clock_off, KeyWarning.CLOCK_OFF))
    return Verdict(
        reasons=tuple(reason for refused, reason in refusals if refused),
        warnings=tuple(warning for given, warning in warnings if given),
    )


def is_current(checked_at: datetime | None, *, now: datetime) -> bool:
    """Tell whether a verdict of this time still counts."""
    return checked_at is not None and now - checked_at <= HOLDS_FOR
