"""Judges whether an exchange key may be connected. Reads and stores nothing.

A key that the order executor is to trade with must be one that it may trade now, an empty wallet aside. Any other key
is only read: it must not be able to withdraw, and must be bound to our addresses.
"""

from __future__ import annotations

from enum import StrEnum

from shared.trading.execution import DenialReason
from shared.trading.readiness import AccountSetup, KeyWarning, judge_account


class KeyRefusal(StrEnum):
    """Why a key is not connected, where it is no reason for a denial."""

    IP_UNRESTRICTED = "IP_UNRESTRICTED"
    """The key works from any address."""
    PLAN_MAX_API_KEY = "PLAN_MAX_API_KEY"
    """The user has as many keys as the plan allows."""
    API_KEY_CONNECTED = "API_KEY_CONNECTED"
    """The API key is connected already."""
    OTHER_ACCOUNT = "OTHER_ACCOUNT"
    """The API key that is to replace another leads to another account."""
    ADDRESS_UNKNOWN = "ADDRESS_UNKNOWN"
    """An address that the key is said to be bound to is not one of ours."""
    FIRST_ADDRESS_MISSING = "FIRST_ADDRESS_MISSING"
    """The key is not said to be bound to the first lane's address."""


RefusalCode = DenialReason | KeyRefusal


def refusals_of_setup(setup: AccountSetup, *, futures: bool, automated: bool) -> list[RefusalCode]:
    """Return why a key with this setup may not be connected, the gravest first."""
    verdict = judge_account(setup, wallet_balance=None)
    reasons = list(verdict.reasons)
    if not (futures and automated):
        unread = futures and not setup.futures_enabled
        read_only = {DenialReason.WITHDRAWALS_ENABLED} | ({DenialReason.FUTURES_DISABLED} if unread else set())
        reasons = [reason for reason in reasons if reason in read_only]
    unbound = [KeyRefusal.IP_UNRESTRICTED] if KeyWarning.IP_UNRESTRICTED in verdict.warnings else []
    return [*reasons, *unbound]
