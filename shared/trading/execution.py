"""The states of an execution, their transitions, and the reasons for its end. Stores nothing."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import NewType


class ExecutionState(StrEnum):
    """The state of one trigger on one follower."""

    QUEUED = "QUEUED"
    ENTERING = "ENTERING"
    """The intent to enter is written; the entry may be on its way. An end from here needs proof that it is not."""
    ENTRY_UNKNOWN = "ENTRY_UNKNOWN"
    """The entry's outcome is unknown, or it counts as absent and is watched for a late fill."""
    UNPROTECTED = "UNPROTECTED"
    PROTECTED = "PROTECTED"
    CLOSING = "CLOSING"
    """A close on purpose is under way."""
    FLATTENING = "FLATTENING"
    """The position must not stay open, and is being closed."""
    CLOSED = "CLOSED"
    DENIED = "DENIED"
    """Our decision; nothing was opened."""
    REJECTED = "REJECTED"
    """The exchange's decision; nothing was opened."""
    FAILED = "FAILED"
    """A fault of ours; nothing was opened."""
    DONE = "DONE"
    """Of an exit: what it asks for is on record with the position that it means, if there is one."""


class Desired(StrEnum):
    """The desired state of an execution, whatever its state; OPEN changes to CLOSED once, never back."""

    OPEN = "OPEN"
    CLOSED = "CLOSED"


_S = ExecutionState

TRANSITIONS: Mapping[ExecutionState, frozenset[ExecutionState]] = MappingProxyType(
    {
        _S.QUEUED: frozenset({_S.ENTERING, _S.DENIED, _S.REJECTED, _S.FAILED, _S.DONE}),
        _S.ENTERING: frozenset({_S.ENTRY_UNKNOWN, _S.UNPROTECTED, _S.DENIED, _S.REJECTED, _S.FAILED}),
        # Back to ENTERING for the one resend, after the entry has been proved absent.
        _S.ENTRY_UNKNOWN: frozenset({_S.ENTERING, _S.UNPROTECTED, _S.FLATTENING, _S.CLOSED}),
        _S.UNPROTECTED: frozenset({_S.PROTECTED, _S.CLOSING, _S.FLATTENING, _S.CLOSED}),
        # Back to UNPROTECTED when a stop that was placed is found missing.
        _S.PROTECTED: frozenset({_S.UNPROTECTED, _S.CLOSING, _S.FLATTENING, _S.CLOSED}),
        _S.CLOSING: frozenset({_S.FLATTENING, _S.CLOSED}),
        _S.FLATTENING: frozenset({_S.CLOSED}),
        _S.CLOSED: frozenset(),
        _S.DENIED: frozenset(),
        _S.REJECTED: frozenset(),
        _S.FAILED: frozenset(),
        _S.DONE: frozenset(),
    }
)

ENDED = frozenset(state for state, ways_out in TRANSITIONS.items() if not ways_out)

NOTHING_OPENED = frozenset({_S.DENIED, _S.REJECTED, _S.FAILED})

# The states in which a quantity may be open at the exchange. From these the only end is CLOSED.
HOLDS_QUANTITY = frozenset({_S.ENTRY_UNKNOWN, _S.UNPROTECTED, _S.PROTECTED, _S.CLOSING, _S.FLATTENING})


def can_move(current: ExecutionState, following: ExecutionState) -> bool:
    """Return whether the transition is permitted."""
    return following in TRANSITIONS[current]


def is_active(state: ExecutionState) -> bool:
    """Return whether an execution in this state has not ended."""
    return state not in ENDED


class DenialReason(StrEnum):
    """Why we decided to open nothing."""

    # the follower, its user, plan and strategy
    FOLLOWER_INACTIVE = "FOLLOWER_INACTIVE"
    EXITS_ONLY = "EXITS_ONLY"
    """The user lets the follower close positions, and open none."""
    LOSS_LIMIT = "LOSS_LIMIT"
    """The account's losses have reached the limit that the follower has chosen."""
    USER_DISABLED = "USER_DISABLED"
    STRATEGY_INACTIVE = "STRATEGY_INACTIVE"
    PLAN_WITHOUT_AUTOMATION = "PLAN_WITHOUT_AUTOMATION"
    PLAN_LAPSED = "PLAN_LAPSED"
    BALANCE_OVER_PLAN_MAXIMUM = "BALANCE_OVER_PLAN_MAXIMUM"

    # the exchange key and its account
    KEY_INACTIVE = "KEY_INACTIVE"
    KEY_NOT_FUTURES = "KEY_NOT_FUTURES"
    KEY_UNAUTHORIZED = "KEY_UNAUTHORIZED"
    HEDGE_MODE = "HEDGE_MODE"
    MULTI_ASSETS_MARGIN = "MULTI_ASSETS_MARGIN"
    PORTFOLIO_MARGIN = "PORTFOLIO_MARGIN"
    FUTURES_DISABLED = "FUTURES_DISABLED"
    WITHDRAWALS_ENABLED = "WITHDRAWALS_ENABLED"
    ACCOUNT_UNKNOWN = "ACCOUNT_UNKNOWN"
    """The exchange's name of the key's account has not been read yet."""
    ACCOUNT_IN_USE = "ACCOUNT_IN_USE"
    """Another key of the same exchange account has the position on this symbol."""

    # the trigger's freshness
    STALE = "STALE"
    SUPERSEDED = "SUPERSEDED"
    PRICE_MOVED = "PRICE_MOVED"

    # what is open already
    ALREADY_IN_POSITION = "ALREADY_IN_POSITION"
    FOREIGN_POSITION = "FOREIGN_POSITION"
    PREVIOUS_POSITION_OPEN = "PREVIOUS_POSITION_OPEN"
    """An opposite alert's close has not left the account flat, as far as verified."""
    CLOSE_REQUESTED = "CLOSE_REQUESTED"
    """An admin or a later alert requested a close before the entry."""

    # the size
    SYMBOL_NOT_TRADING = "SYMBOL_NOT_TRADING"
    NO_EQUITY = "NO_EQUITY"
    NO_AVAILABLE_MARGIN = "NO_AVAILABLE_MARGIN"
    BELOW_MINIMUM = "BELOW_MINIMUM"
    STOP_CROSSED = "STOP_CROSSED"
    TARGET_PASSED = "TARGET_PASSED"
    """The market has passed every take-profit."""
    STOP_BEHIND_LIQUIDATION = "STOP_BEHIND_LIQUIDATION"

    # the system
    HALTED = "HALTED"
    WEIGHT_EXHAUSTED = "WEIGHT_EXHAUSTED"


class Reason(StrEnum):
    """Why an execution is as it is, where it is neither our denial nor the exchange's own code."""

    NOT_FILLED = "NOT_FILLED"
    """The exchange took the entry, and ended it without a fill, not for its bound."""
    FILLED_IN_PART = "FILLED_IN_PART"
    """The market offered less than the entry's amount at its bound or better; the position is smaller than sized."""
    EXCHANGE_UNAVAILABLE = "EXCHANGE_UNAVAILABLE"
    """The exchange certainly did not take the entry, for as long as its alert was fresh."""
    RISK_PROFILE_MISSING = "RISK_PROFILE_MISSING"
    SECRET_UNREADABLE = "SECRET_UNREADABLE"  # noqa: S105 - a reason, not a secret
    """The stored secret of the follower's key could not be opened."""
    FILLS_UNKNOWN = "FILLS_UNKNOWN"
    """The position is gone, and the exchange's fills do not show how."""
    DUST_LEFT = "DUST_LEFT"
    """The rest of the position is too small for a market order; its stop stays."""
    APPLIED = "APPLIED"
    """The exit is on record with the position that it means."""
    NOTHING_TO_CLOSE = "NOTHING_TO_CLOSE"
    """The follower has no position that is older than the exit."""
    NOTHING_TO_REDUCE = "NOTHING_TO_REDUCE"
    """The follower has no position that the reduction means, or one that is no larger than it asks for."""
    NOTHING_TO_UPDATE = "NOTHING_TO_UPDATE"
    """The follower has no position that the update means, or a later update has said otherwise."""
    STOP_NOT_TIGHTER = "STOP_NOT_TIGHTER"
    """The position's stop is at the update's price already, or nearer to the market."""
    STOP_PASSED = "STOP_PASSED"
    """The market is beyond the update's stop; the position's own stays."""
    REDUCED = "REDUCED"
    """An exit alert has closed a part of the position."""


ExchangeReason = NewType("ExchangeReason", str)
"""The exchange's own refusal, by its code."""


def exchange_reason(code: int | None) -> ExchangeReason:
    """Return the reason of the exchange's refusal: `EXCHANGE_2019` for -2019, `EXCHANGE_REFUSED` without a code."""
    return ExchangeReason(f"EXCHANGE_{abs(code)}" if code is not None else "EXCHANGE_REFUSED")


class CloseReason(StrEnum):
    """The cause of a position's close, or of the end of an execution that may have had one."""

    STOP = "STOP"
    TAKE_PROFIT = "TAKE_PROFIT"
    TRAILING = "TRAILING"
    OPPOSITE = "OPPOSITE"
    EXIT_ALERT = "EXIT_ALERT"
    """The strategy left its position."""
    ADMIN = "ADMIN"
    USER = "USER"
    """The user, who asked us for it."""
    LOSS_LIMIT = "LOSS_LIMIT"
    """The follower's limit of losses was reached, and it has chosen to be closed then."""
    MANUAL = "MANUAL"
    """The account's owner, or another program of theirs."""
    LIQUIDATION = "LIQUIDATION"
    AUTO_DELEVERAGED = "AUTO_DELEVERAGED"
    DELISTED = "DELISTED"
    """The exchange settled the contract, taken off its list or delivered at its date, and closed every position."""
    FLATTENED = "FLATTENED"
    """We closed it, because its stop could not be placed."""
    ENTRY_UNKNOWN = "ENTRY_UNKNOWN"
    """The entry never appeared while it was watched for."""


AnyReason = DenialReason | Reason | CloseReason | ExchangeReason
