"""The positions that keep a key or an account from being closed. Reads no record."""

from __future__ import annotations

from typing import TypedDict

from shared.api.answers import Id
from shared.models.execution import Execution


class OpenPosition(TypedDict):
    """A position that keeps its key from being deleted, or its account from being closed."""

    id: Id
    symbol: str
    side: str
    status: str


class StillOpen(TypedDict):
    """The answer to a deletion that open positions stand against."""

    message: str
    positions: list[OpenPosition]


def open_position(execution: Execution) -> OpenPosition:
    """Return what is open of an execution."""
    return {
        "id": execution.id,
        "symbol": execution.symbol,
        "side": execution.side.value,
        "status": execution.state.value,
    }
