"""Reads the exchange's fills on a symbol, each with the client id of its order, beginning after those already stored.

The exchange names a fill's order by its own id. Most of these ids are in our ledger. The others are looked up one by
one, at a fifth of the weight of a list: first our conditional orders, because a triggered one fills under another id,
then the order itself (the owner's, the exchange's own, another execution's).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal

from shared.clock import from_ms
from shared.exchange.futures import FuturesAccount, now_ms
from shared.exchange.history import LIST_SPAN_MS
from shared.exchange.venue_views import OrderView
from shared.models.order import Order, OrderStatus
from shared.trading.ids import Leg
from shared.trading.position_accounting import Fill, NetFill

_LATE_BY = timedelta(seconds=60)
"""A fill is listed at most this long after it happened, so a second read begins there, not at the position's start."""
STORED_LATE_BY = timedelta(hours=1)
"""The same after the fills that were stored earlier: reports tell of lists that lag by half an hour."""
_FORGOTTEN_AFTER = timedelta(days=80)
"""Before the exchange's ninety days: an order that is not found for its age was created at least this long ago."""
_IN_VAIN_AFTER = timedelta(days=1)
_ONE_REQUEST = timedelta(milliseconds=LIST_SPAN_MS)
_READ_MARGIN = timedelta(minutes=1)
_ONE_BY_ONE = 4
"""Above this number of unknown orders, the exchange's list of them weighs less."""


@dataclass(slots=True)
class FillBook:
    """The fills that were read so far; a repeated read fetches the latest only."""

    account: FuturesAccount
    symbol: str
    since: datetime
    stored: dict[int, Fill] = field(default_factory=dict)
    """What our table has of them, by the exchange's number."""
    read_until: datetime | None = None
    """By the exchange's clock: the fills that it listed then are read."""
    _fills: dict[int, Fill] = field(init=False)
    _names: dict[str, str] = field(init=False)
    """The exchange's order id → client id, as it answered."""

    def __post_init__(self) -> None:
        self._fills = dict(self.stored)
        self._names = {fill.order_id: fill.client_order_id for fill in self.stored.values() if fill.client_order_id}

    async def read(self, orders: Iterable[Order]) -> tuple[Fill, ...]:
        """Return every fill up to now, oldest first. `orders`, our ledger's, get the ids of triggered orders."""
        read_at = from_ms(now_ms())
        # A fill never changes; the one that is known may have its fee's price.
        self._fills = await self.account.fills(self.symbol, since=self.since) | self._fills
        self.since, self.read_until = max(self.since, read_at - _LATE_BY), read_at
        names = await self._names_of(list(orders))
        for number, fill in self._fills.items():
            name = names.get(fill.order_id, "")
            if fill.client_order_id != name:
                self._fills[number] = replace(fill, client_order_id=name)
        return self.fills

    @property
    def fills(self) -> tuple[Fill, ...]:
        """Every fill that was read, oldest first."""
        return tuple(fill for _, fill in sorted(self._fills.items()))

    def takes_one_request(self) -> bool:
        """Return whether the next read is a single request; else it weighs as much as several looks."""
        return from_ms(now_ms()) - self.since <= _ONE_REQUEST - _READ_MARGIN

    def read_the_last_days_again(self) -> None:
        """Have the next read ask for all that one request covers: a fill may have been listed later than expected."""
        self.since = min(self.since, from_ms(now_ms()) - _ONE_REQUEST)

    def set_fee_prices(self, prices: Mapping[str, Decimal]) -> None:
        """Give the fills that have none yet the price of their fee's asset in the margin asset."""
        for number, fill in self._fills.items():
            if fill.fee_price is None and fill.fee_asset in prices:
                self._fills[number] = replace(fill, fee_price=prices[fill.fee_asset])

    def unstored(self) -> dict[int, Fill]:
        """Return the fills that our table lacks, or has without the client id or the price that is known by now."""
        return {number: fill for number, fill in self._fills.items() if self.stored.get(number) != fill}

    def put_net(self, net: NetFill) -> None:
        """Put a net in the place of its fills, as our table has it now."""
        for number in net.numbers:
            self.stored.pop(number, None)
            self._fills.pop(number, None)
        self.stored[net.numbers[-1]] = self._fills[net.numbers[-1]] = net.fill

    async def _names_of(self, orders: list[Order]) -> dict[str, str]:
        entries = {order.client_order_id for order in orders if order.leg is Leg.ENTRY}
        names = _ledger_names(orders) | self._names
        forgotten: list[Order] = []
        if self._unknown(names, entries):
            forgotten = await self._look_up_conditional(orders)
            names = _ledger_names(orders) | self._names
        unknown = self._unknown(names, entries)
        views: list[OrderView] = []
        if len(unknown) <= _ONE_BY_ONE:
            asked = (self.account.find_by_exchange_id(self.symbol, order_id) for order_id in sorted(unknown))
            views = [view for view in await asyncio.gather(*asked) if view is not None]
        # An order is not found for a moment after its fill; whose it was decides the reason of a close.
        if missing := unknown - {view.exchange_order_id for view in views}:
            first = min(fill.at for fill in self._fills.values() if fill.order_id in missing)
            views += await self.account.orders_since(self.symbol, first - _LATE_BY)
        self._names |= {view.exchange_order_id: view.client_order_id for view in views}
        self._names |= _names_of_triggered([view for view in views if view.exchange_order_id in unknown], forgotten)
        return names | self._names

    def _unknown(self, names: dict[str, str], entries: set[str]) -> set[str]:
        """Return the orders without a client id. With a single entry, fills before it need none.

        What was stored without one a day ago has none: it has been looked up in vain.
        """
        hopeless_before = from_ms(now_ms()) - _IN_VAIN_AFTER
        entered = [number for number, fill in self._fills.items() if names.get(fill.order_id) in entries]
        first = min(entered, default=0) if len(entries) == 1 else 0
        return {
            fill.order_id
            for number, fill in self._fills.items()
            if number >= first and not (number in self.stored and fill.at < hopeless_before)
        } - names.keys()

    async def _look_up_conditional(self, orders: list[Order]) -> list[Order]:
        """Give triggered orders the ids of what they became; return those that the exchange has forgotten."""
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
        oldest = from_ms(now_ms()) - _FORGOTTEN_AFTER
        return [o for o, view in zip(waiting, views, strict=True) if view is None and o.created_at < oldest]


def _names_of_triggered(views: Iterable[OrderView], forgotten: Iterable[Order]) -> dict[str, str]:
    """Return our client ids of regular orders that conditional ones became which nobody can look up any more.

    A regular order with a conditional one's type has been triggered, and the exchange takes a single `closePosition`
    order of a kind on a side, so that it was ours; by amount, the amounts are compared.
    """
    return {
        view.exchange_order_id: order.client_order_id
        for order in forgotten
        for view in views
        if (view.type, view.side, view.close_position) == (order.type.value, order.side, order.close_position)
        and (order.close_position or order.amount == view.amount)
    }


def _ledger_names(orders: Iterable[Order]) -> dict[str, str]:
    ids = {}
    for order in orders:
        exchange_id = order.actual_order_id if order.conditional else order.exchange_order_id
        if exchange_id is not None:
            ids[exchange_id] = order.client_order_id
    return ids
