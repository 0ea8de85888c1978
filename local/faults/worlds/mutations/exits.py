"""Exits without one of their rules."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any
from unittest import mock

from functions.order_executor import stop_placement
from shared.trading.order_planning import PlannedOrder


def sent_again_unchanged() -> AbstractContextManager[Any]:
    """Send a stop that the exchange's filters refuse again as it is."""

    async def the_same(_: object, refused: PlannedOrder, *__: object, **___: object) -> PlannedOrder:
        return refused

    return mock.patch.object(stop_placement, "instead_of", the_same)
