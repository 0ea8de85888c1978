"""Exits without one of their rules."""

from __future__ import annotations

from contextlib import AbstractContextManager
from decimal import Decimal
from typing import Any
from unittest import mock

from functions.order_executor import reducing, stop_placement, targets
from shared.exchange.futures import FuturesAccount
from shared.trading import exits, reduction
from shared.trading.order_planning import PlannedOrder


class _Never(Exception):
    """The class of no error."""


def needing_filters() -> AbstractContextManager[Any]:
    """Carry out nothing on an open position while its symbol's filters cannot be read."""
    return mock.patch.object(FuturesAccount, "filters_for_exit", FuturesAccount.filters)


def closing_newer_positions() -> AbstractContextManager[Any]:
    """Let an exit alert close whatever is open, of an older trigger or of a newer one."""
    return mock.patch.object(exits, "means", return_value=True)


def closing_nothing() -> AbstractContextManager[Any]:
    """Let an exit alert close nothing, as if it were stale at once."""
    return mock.patch.object(exits, "means", return_value=False)


def reduced_from_what_is_left() -> AbstractContextManager[Any]:
    """Let a reduction leave a share of what is left instead of the entry's amount."""
    plan = reduction.plan_reduction

    def of_the_rest(*, left: Decimal, **also: Any) -> reduction.Reduction:
        return plan(**(also | {"entered": left, "left": left}))

    return mock.patch.object(reducing, "plan_reduction", of_the_rest)


def with_activation_alone() -> AbstractContextManager[Any]:
    """Give a trailing stop up whose activation the market has passed."""
    return mock.patch.object(targets, "StopWouldTrigger", _Never)


def sent_again_unchanged() -> AbstractContextManager[Any]:
    """Send a stop that the exchange's filters refuse again as it is."""

    async def the_same(_: object, refused: PlannedOrder, *__: object, **___: object) -> PlannedOrder:
        return refused

    return mock.patch.object(stop_placement, "instead_of", the_same)
