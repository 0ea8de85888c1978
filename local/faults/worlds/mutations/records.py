"""Records that are written without their conditions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

from shared.models import base
from shared.models.position_slot import PositionSlot


@contextmanager
def without_conditions() -> Iterator[None]:
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
