"""Entries and their stops without one of their rules."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from decimal import Decimal
from typing import Any
from unittest import mock

from functions.order_executor import entering, entry_outcome, exit_plans, retrying, stop_placement
from functions.order_executor.entry_outcome import Absent, Outcome
from functions.order_executor.session import ExecutionSession
from shared import admission
from shared.models.key_readiness import KeyReadiness
from shared.models.order import Order, OrderStatus
from shared.trading import place
from shared.trading.signal import Signal

_ONE_TRY_S = 0.5


async def _assume_absent(session: ExecutionSession, entry: Order) -> Outcome:
    """Treat an entry without an answer as one that never arrived."""
    entry.status = OrderStatus.ABSENT
    await session.ledger.save_orders(entry)
    return Absent()


def without_look_up() -> AbstractContextManager[Any]:
    """Send an entry without an answer again, without looking it up."""
    return mock.patch.object(entry_outcome, "resolve_entry", _assume_absent)


def for_passed_targets() -> AbstractContextManager[Any]:
    """Enter whether the market has passed the targets or not."""

    def whatever_is_passed(signal: Signal, *, market_price: Decimal) -> tuple[Decimal, ...]:
        del market_price
        return signal.take_profits

    return mock.patch.object(admission, "targets_ahead", whatever_is_passed)


def tried_once() -> AbstractContextManager[Any]:
    """End an entry that the exchange did not take, however fresh its alert is."""
    return mock.patch.object(retrying, "is_fresh_in", return_value=False)


def of_unfit_keys() -> AbstractContextManager[Any]:
    """Read the account before each entry, whatever is known of its key."""
    return mock.patch.object(KeyReadiness, "denial", return_value=None)


def in_order_of_arrival() -> AbstractContextManager[Any]:
    """Order alerts by when they came, and not by when they fired."""

    def born_at(*, fired_at: datetime | None, received_at: datetime) -> datetime:
        del fired_at
        return received_at

    return mock.patch.object(place, "born_at", born_at)


@contextmanager
def with_early_stop() -> Iterator[None]:
    """Place the stop for the ordered amount before the fill is known, and assume that it stays in place."""
    send, place_stops = entering.send_entry, stop_placement.place_stops
    early: set[str] = set()

    async def stop_first(session: ExecutionSession, entry: Order) -> Outcome:
        amount = entry.amount or session.filters.entry_min
        stops = exit_plans.plan_for(session, amount).stops
        give_up_at_s = time.monotonic() + _ONE_TRY_S
        if await place_stops(session, stops, amount=amount, give_up_at_s=give_up_at_s):
            early.add(session.execution.id)
        return await send(session, entry)

    async def assume_placed(session: ExecutionSession, *stops: Any, **how: Any) -> bool:
        return session.execution.id in early or await place_stops(session, *stops, **how)

    with (
        mock.patch.object(entering, "send_entry", stop_first),
        mock.patch.object(stop_placement, "place_stops", assume_placed),
    ):
        yield
