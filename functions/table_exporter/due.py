"""Decides when a table is exported, by what DynamoDB tells of its exports. No input or output, no clock."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

INTERVAL_DAYS = 30
OVERDUE = timedelta(days=2)
"""An export takes minutes or hours."""


class ExportStatus(StrEnum):
    """The state of an export, in DynamoDB's words."""

    IN_PROGRESS = "IN_PROGRESS"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True)
class Export:
    """One export of a table."""

    status: ExportStatus
    started_at: datetime
    failure: str = ""
    """DynamoDB's reason for a failure."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What is to be done about a table, and what somebody has to be told."""

    begins: bool
    fault: str = ""


def decide(exports: Iterable[Export], at: datetime) -> Decision:
    """Return whether an export begins at a time, and what is wrong with the latest one.

    A failed export is repeated a day later; nothing begins beside one that is in progress.
    """
    latest = max(exports, key=lambda one: one.started_at, default=None)
    if latest is None:
        return Decision(begins=True)
    match latest.status:
        case ExportStatus.IN_PROGRESS:
            overdue = at - latest.started_at > OVERDUE
            return Decision(begins=False, fault=f"not ended since {latest.started_at:%Y-%m-%d}" if overdue else "")
        case ExportStatus.FAILED:
            return Decision(begins=True, fault=latest.failure or "no reason given")
        case ExportStatus.COMPLETED:
            # By days: the schedule is some seconds early or late.
            return Decision(begins=(at.date() - latest.started_at.date()).days >= INTERVAL_DAYS)
