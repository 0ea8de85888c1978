"""Exits without one of their rules."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from decimal import Decimal
from typing import Any
from unittest import mock

from functions.order_executor import moving, reducing, stop_placement, targets
from shared.exchange.futures import FuturesAccount
from shared.trading import exits, reduction, stop_moves, updates
from shared.trading.order_planning import PlannedOrder
from shared.trading.sides import Side


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


@contextmanager
def moving_stops_back() -> Iterator[None]:
    """Let the update that came last move the stop, nearer to the market or not."""

    def last(_: Side, first: Decimal, *requested: Decimal | None) -> Decimal:
        return [first, *(price for price in requested if price is not None)][-1]

    def differs(price: Decimal, *, than: Decimal, side: Side) -> bool:
        del side
        return price != than

    with (
        mock.patch.object(updates, "nearest_stop", last),
        mock.patch.object(stop_moves, "nearest_stop", last),
        mock.patch.object(stop_moves, "is_nearer", differs),
    ):
        yield


def without_requested_stops() -> AbstractContextManager[Any]:
    """Record the stops that updates ask for, and move none there."""
    return mock.patch.object(moving, "_requested", return_value=[])


def without_breakeven() -> AbstractContextManager[Any]:
    """Leave the stop where it is when the target has filled that it waits for."""
    return mock.patch.object(moving, "_target_has_filled", mock.AsyncMock(return_value=False))


def with_activation_alone() -> AbstractContextManager[Any]:
    """Give a trailing stop up whose activation the market has passed."""
    return mock.patch.object(targets, "StopWouldTrigger", _Never)


def sent_again_unchanged() -> AbstractContextManager[Any]:
    """Send a stop that the exchange's filters refuse again as it is."""

    async def the_same(_: object, refused: PlannedOrder, *__: object, **___: object) -> PlannedOrder:
        return refused

    return mock.patch.object(stop_placement, "instead_of", the_same)
