"""Reads the exchange's fills on a symbol, each with the client id of its order.

The exchange names a fill's order by its own id. Most of these ids are in our ledger. The others are looked up one by
one, at a fifth of the weight of a list: first our conditional orders, because a triggered one fills under another id,
then the order itself (the owner's, the exchange's own, another execution's).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from shared.clock import from_ms
from shared.exchange.futures import FuturesAccount, now_ms
from shared.models.order import Order, OrderStatus
from shared.trading.ids import Leg
from shared.trading.position_accounting import Fill

_LATE_BY = timedelta(seconds=60)
"""A fill is listed at most this long after it happened, so a second read begins there, not at the position's start."""
_ONE_BY_ONE = 4
"""Above this number of unknown orders, the exchange's list of them weighs less."""


@dataclass(slots=True)
class FillBook:
    """The fills that were read so far; a repeated read fetches the latest only."""

    account: FuturesAccount
    symbol: str
    since: datetime
    _fills: dict[int, Fill] = field(default_factory=dict)
    _names: dict[str, str] = field(default_factory=dict)
    """The exchange's order id → client id, as it answered."""

    async def read(self, orders: Iterable[Order]) -> tuple[Fill, ...]:
        """Return every fill up to now, oldest first. `orders`, our ledger's, get the ids of triggered orders."""
        read_at = from_ms(now_ms())
        self._fills |= await self.account.fills(self.symbol, since=self.since)
        self.since = max(self.since, read_at - _LATE_BY)
        names = await self._names_of(list(orders))
        return tuple(
            replace(fill, client_order_id=names.get(fill.order_id, "")) for _, fill in sorted(self._fills.items())
        )

    async def _names_of(self, orders: list[Order]) -> dict[str, str]:
        entries = {order.client_order_id for order in orders if order.leg is Leg.ENTRY}
        names = _ledger_names(orders) | self._names
        if self._unknown(names, entries):
            await self._look_up_conditional(orders)
            names = _ledger_names(orders) | self._names
        unknown = self._unknown(names, entries)
        if len(unknown) > _ONE_BY_ONE:
            first = min(fill.at for fill in self._fills.values() if fill.order_id in unknown)
            listed = await self.account.orders_since(self.symbol, first - _LATE_BY)
            self._names |= {view.exchange_order_id: view.client_order_id for view in listed}
        else:
            asked = (self.account.find_by_exchange_id(self.symbol, order_id) for order_id in sorted(unknown))
            found = await asyncio.gather(*asked)
            # An order that the exchange does not know now has no client id; the next read looks it up again.
            self._names |= {view.exchange_order_id: view.client_order_id for view in found if view is not None}
        return names | self._names

    def _unknown(self, names: dict[str, str], entries: set[str]) -> set[str]:
        """Return the orders without a client id. With a single entry, fills before it need none."""
        entered = [number for number, fill in self._fills.items() if names.get(fill.order_id) in entries]
        first = min(entered, default=0) if len(entries) == 1 else 0
        return {fill.order_id for number, fill in self._fills.items() if number >= first} - names.keys()

    async def _look_up_conditional(self, orders: list[Order]) -> None:
        waiting = [
            order
            for order in orders
            if order.conditional and order.actual_order_id is None and order.status is not OrderStatus.ABSENT
        ]
        views = await asyncio.gather(
            *(self.account.find_order(self.symbol, order.client_order_id, conditional=True) for order in waiting)
        )
        for order, view in zip(waiting, views, strict=True):
            if view is not None and view.actual_order_id is not None:
                order.actual_order_id = view.actual_order_id


def _ledger_names(orders: Iterable[Order]) -> dict[str, str]:
    ids = {}
    for order in orders:
        exchange_id = order.actual_order_id if order.conditional else order.exchange_order_id
        if exchange_id is not None:
            ids[exchange_id] = order.client_order_id
    return ids
