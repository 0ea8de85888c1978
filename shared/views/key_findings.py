"""What keeps a key from trading, or deserves a warning, in words: what it is, and what its owner has to change."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, TypedDict

from shared.notifications import reasons
from shared.trading.connection import KeyRefusal, RefusalCode
from shared.trading.execution import DenialReason
from shared.trading.readiness import KeyWarning


class Finding(TypedDict):
    """One thing that keeps a key from trading, or deserves a warning, and what to change."""

    code: str
    msg: str


_TEXTS: Final[Mapping[RefusalCode, str]] = MappingProxyType(
    {
        KeyRefusal.IP_UNRESTRICTED: (
            "The key works from any address. At the exchange, restrict it to our addresses, which are listed "
            "with the requirements of a key."
        ),
        KeyRefusal.PLAN_MAX_API_KEY: (
            "You have as many keys as your plan allows. Delete one, or take a plan that allows more."
        ),
        KeyRefusal.API_KEY_CONNECTED: "This API key is connected already. Create another one at the exchange.",
        KeyRefusal.OTHER_ACCOUNT: (
            "The new API key is of another exchange account. Create it in the account that this key is of, or connect "
            "it as a key of its own."
        ),
        KeyRefusal.ADDRESS_UNKNOWN: "This is none of our addresses, which are listed with the requirements of a key.",
        KeyRefusal.FIRST_ADDRESS_MISSING: (
            "The first address of the requirements is missing. At the exchange, bind the key to it too: balances and "
            "positions are read from there."
        ),
        DenialReason.ACCOUNT_IN_USE: (
            "Another key of the same exchange account trades automatically already. Delete that key first, or replace "
            "its API key."
        ),
        DenialReason.KEY_NOT_FUTURES: "Strategies trade futures. Connect the key for FUTURES, or as MANUAL.",
        DenialReason.KEY_UNAUTHORIZED: (
            "The exchange refuses the key. Check that the API key and its secret are complete, that the key exists, "
            "and that it is restricted to our addresses and no others."
        ),
    }
)

_WARNINGS: Final[Mapping[KeyWarning, str]] = MappingProxyType(
    {
        KeyWarning.IP_UNRESTRICTED: _TEXTS[KeyRefusal.IP_UNRESTRICTED],
        KeyWarning.CLOCK_OFF: "The exchange's clock and ours differ. You need not do anything.",
    }
)


def text_of(code: RefusalCode) -> str:
    """Return what is wrong, and what to change."""
    known = _TEXTS.get(code)
    if known is not None:
        return known
    return reasons.text_of(DenialReason(code))


def warning_text(warning: KeyWarning) -> str:
    """Return what a warning means, and what to change."""
    return _WARNINGS[warning]
