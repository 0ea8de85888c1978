"""The product with one of its rules removed, to show that the checks notice. Changes nothing permanently."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any
from unittest import mock

from functions.order_executor import entering, entry_outcome, exit_plans, stop_placement
from functions.order_executor.entry_outcome import Absent, Outcome
from functions.order_executor.session import ExecutionSession
from shared.models import base
from shared.models.order import Order, OrderStatus
from shared.models.position_slot import PositionSlot

_ONE_TRY_S = 0.5


async def _assume_absent(session: ExecutionSession, entry: Order) -> Outcome:
    """Treat an entry without an answer as one that never arrived."""
    entry.status = OrderStatus.ABSENT
    await session.ledger.save_orders(entry)
    return Absent()


def _without_look_up() -> AbstractContextManager[Any]:
    """Send an entry without an answer again, without looking it up."""
    return mock.patch.object(entry_outcome, "resolve_entry", _assume_absent)


@contextmanager
def _with_early_stop() -> Iterator[None]:
    """Place the stop for the ordered amount before the fill is known, and assume that it stays in place."""
    send, place = entering.send_entry, stop_placement.place_stops
    early: set[str] = set()

    async def stop_first(session: ExecutionSession, entry: Order) -> Outcome:
        amount = entry.amount or session.filters.entry_min
        stops = exit_plans.plan_for(session, amount).stops
        give_up_at_s = time.monotonic() + _ONE_TRY_S
        if await place(session, stops, amount=amount, give_up_at_s=give_up_at_s):
            early.add(session.execution.id)
        return await send(session, entry)

    async def assume_placed(session: ExecutionSession, *stops: Any, **how: Any) -> bool:
        return session.execution.id in early or await place(session, *stops, **how)

    with (
        mock.patch.object(entering, "send_entry", stop_first),
        mock.patch.object(stop_placement, "place_stops", assume_placed),
    ):
        yield


@contextmanager
def _without_conditions() -> Iterator[None]:
    """Let the last writer win: no condition on a revision, a lease or a fence."""
    transact = base.transact

    def transact_unconditionally(build: Callable[[Any], None]) -> None:
        transact(lambda transaction: build(_Unconditional(transaction)))

    def acquire(**lease: Any) -> PositionSlot:
        slot = PositionSlot(lease["api_key_id"], lease["symbol"])
        slot.update(actions=[PositionSlot.lease_owner.set(lease["owner"]), PositionSlot.fence.add(1)])
        return slot

    with (
        mock.patch("shared.models.execution.transact", transact_unconditionally),
        mock.patch.object(PositionSlot, "acquire", staticmethod(acquire)),
        mock.patch.object(PositionSlot, "renew"),
    ):
        yield


class _Unconditional:
    """A transaction that drops every condition."""

    def __init__(self, transaction: Any) -> None:
        self._transaction = transaction

    def update(self, model: Any, *, actions: Any, condition: Any = None) -> None:
        del condition
        self._transaction.update(model, actions=actions)

    def save(self, model: Any, condition: Any = None) -> None:
        del condition
        self._transaction.save(model)

    def condition_check(self, *_: Any, **__: Any) -> None:
        """Check nothing."""


MUTATIONS: dict[str, Callable[[], AbstractContextManager[Any]]] = {
    "no_look_up": _without_look_up,
    "early_stop": _with_early_stop,
    "no_conditions": _without_conditions,
}
"""Name → the product without that rule."""


def mutated(name: str) -> AbstractContextManager[Any]:
    """Return the product without one of its rules, or as it is for an empty name."""
    return MUTATIONS[name]() if name else nullcontext()
