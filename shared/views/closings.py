"""The positions that a request closes, as both APIs answer. Requests nothing."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, TypedDict

from shared.api.answers import Id
from shared.models.execution import Execution


class ClosingItem(TypedDict):
    """One execution whose position is being closed."""

    id: Id
    strategyFollowId: Id
    status: Literal["CLOSING"]


def closing_items(executions: Iterable[Execution]) -> list[ClosingItem]:
    """Return executions as documented."""
    return [{"id": one.id, "strategyFollowId": one.follower_id, "status": "CLOSING"} for one in executions]
