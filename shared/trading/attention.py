"""Which open executions an operator should look at. Pure: no clock, no tables."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum

from shared.trading.execution import Desired, ExecutionState


class Concern(StrEnum):
    """Why an execution needs attention, the most urgent first."""

    NAKED = "NAKED"
    """A quantity may be open without its stop."""
    UNKNOWN = "UNKNOWN"
    """Nobody knows whether the entry was filled."""
    NO_PROGRESS = "NO_PROGRESS"
    """Work waits for longer than any queue or watcher explains."""


NAKED_AFTER = timedelta(seconds=5)
"""A living worker protects or closes a position within this time."""

WAITING_AFTER = timedelta(seconds=120)
"""An entry is given up when its alert is stale, and a close is tried again within a minute."""

OVERDUE_AFTER = timedelta(seconds=180)
"""Three runs of the watcher have passed an execution that was due."""

_S = ExecutionState
NAKED_STATES = frozenset({_S.UNPROTECTED, _S.FLATTENING})
_IN_WORK = frozenset({_S.QUEUED, _S.ENTERING, _S.CLOSING})


def may_concern(state: ExecutionState, *, overdue: timedelta, look_interval: timedelta) -> bool:
    """Return whether an open execution may need attention, by what the index of open ones says alone.

    It does not say whether the close of a protected position was requested: those have an index of their own.
    """
    return state is not _S.PROTECTED or overdue > OVERDUE_AFTER + look_interval


def concern_about(
    state: ExecutionState, desired: Desired, *, waiting: timedelta, overdue: timedelta, look_interval: timedelta
) -> Concern | None:
    """Return why an open execution needs attention, or None.

    `waiting` is the time since its present work began, `overdue` how long it has been due (negative: not yet).
    """
    if state in NAKED_STATES:
        return Concern.NAKED if waiting >= NAKED_AFTER else None
    if state is _S.ENTRY_UNKNOWN:
        return Concern.UNKNOWN if waiting >= NAKED_AFTER else None
    guarded = state is _S.PROTECTED and desired is Desired.OPEN
    if overdue > OVERDUE_AFTER + (look_interval if guarded else timedelta()):
        return Concern.NO_PROGRESS
    at_work = state in _IN_WORK or (state is _S.PROTECTED and desired is Desired.CLOSED)
    return Concern.NO_PROGRESS if at_work and waiting >= WAITING_AFTER else None
