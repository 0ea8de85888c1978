"""Judges whether an exchange key's account may be traded, and what deserves a warning. Reads and stores nothing.

The order executor applies it before each entry, the key inspector once a day. A verdict of the last hour denies entries
by itself, so that an unfit key costs no request weight.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from shared.trading.execution import DenialReason

VALID_FOR = timedelta(hours=26)
"""How long a verdict is valid: a day, and the time that the next inspection may take with its retries."""

DENIES_FOR = timedelta(hours=1)
"""How long a verdict denies entries by itself, before their account is read."""

MAX_CLOCK_OFFSET_MS = 1_000
"""A larger offset from the exchange's clock gets a warning; requests are stamped by the measured offset."""


class KeyWarning(StrEnum):
    """A setting that permits trading and should be corrected."""

    IP_UNRESTRICTED = "IP_UNRESTRICTED"
    """The key works from any address; the exchange withdraws such keys' trading permission after some time."""
    CLOCK_OFF = "CLOCK_OFF"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyPermissions:
    """What a key may do; it belongs to the key, not to its account."""

    futures_enabled: bool
    withdrawals_enabled: bool
    portfolio_margin: bool
    ip_restricted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountSetup:
    """The settings of a key and its account at the exchange."""

    can_trade: bool
    futures_enabled: bool
    withdrawals_enabled: bool
    portfolio_margin: bool
    hedge_mode: bool
    multi_assets_margin: bool
    ip_restricted: bool


@dataclass(frozen=True, slots=True)
class Verdict:
    """Ready, or all reasons why not, the gravest first."""

    reasons: tuple[DenialReason, ...]
    warnings: tuple[KeyWarning, ...] = ()

    @property
    def ready(self) -> bool:
        """Whether the account may be traded."""
        return not self.reasons


UNAUTHORIZED = Verdict((DenialReason.KEY_UNAUTHORIZED,))
"""The exchange refuses the key itself."""


def judge_account(
    setup: AccountSetup, *, wallet_balance: Decimal | None, clock_offset_ms: int | None = None
) -> Verdict:
    """Return whether an account with this setup may be traded; a value that is None was not read, and is not judged.

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
    """Return whether a verdict of this time is still valid."""
    return checked_at is not None and now - checked_at <= VALID_FOR


def denial_of(
    reasons: Sequence[str], checked_at: datetime | None, *, margin_assets: Collection[str], quote: str, now: datetime
) -> DenialReason | None:
    """Return the gravest reason of a verdict for which it denies an entry paid in `quote`, without a fresh read.

    A refused key is not among them: it is inactive, unless our address was at fault. An empty wallet counts for the
    assets whose wallets were read, `margin_assets`.
    """
    if checked_at is None or now - checked_at > DENIES_FOR:
        return None
    for reason in map(DenialReason, reasons):
        if reason is DenialReason.KEY_UNAUTHORIZED or (reason is DenialReason.NO_EQUITY and quote not in margin_assets):
            continue
        return reason
    return None
