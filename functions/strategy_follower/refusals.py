"""The faults of a request to follow: why the strategy cannot be followed with this key, and what to change."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from shared.api.requests import Fault, fault
from shared.notifications.reasons import text_of as text_of_denial
from shared.trading.execution import DenialReason


class FollowRefusal(StrEnum):
    """Why a strategy is not followed, where it is no reason for a denial."""

    STRATEGY_UNKNOWN = "STRATEGY_UNKNOWN"
    KEY_UNKNOWN = "KEY_UNKNOWN"
    """There is no such key, or it is another user's."""
    RISK_PROFILE_UNKNOWN = "RISK_PROFILE_UNKNOWN"
    SYMBOL_FOLLOWED = "SYMBOL_FOLLOWED"
    """The account has a follower on the symbol."""


_TEXTS: Final[Mapping[FollowRefusal, str]] = MappingProxyType(
    {
        FollowRefusal.STRATEGY_UNKNOWN: "must be an active strategy",
        FollowRefusal.KEY_UNKNOWN: "must be an exchange key of yours",
        FollowRefusal.RISK_PROFILE_UNKNOWN: "must be a risk profile",
        FollowRefusal.SYMBOL_FOLLOWED: (
            "Your account follows a strategy of this symbol already, or still has a position of one that you ended. "
            "End it, and wait until its position has ended."
        ),
    }
)

_OF_STRATEGY: Final = frozenset({DenialReason.STRATEGY_INACTIVE, DenialReason.SYMBOL_NOT_TRADING})


def follow_fault(code: FollowRefusal, *, param: str, value: object) -> Fault:
    """Return the fault of one field."""
    return fault(_TEXTS[code], param=param, location="body", value=value, code=code.value)


def denial_fault(reason: DenialReason, *, strategy_id: str, api_key_id: str) -> Fault:
    """Return the fault of a request whose follower would be denied each entry; it names the field that is to blame."""
    param, value = ("strategyId", strategy_id) if reason in _OF_STRATEGY else ("apiKeyId", api_key_id)
    return fault(text_of_denial(reason), param=param, location="body", value=value, code=reason.value)
