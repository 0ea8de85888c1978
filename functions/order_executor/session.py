"""One execution at work: its ledger, and its account at the exchange. Knows how to ask and send, not when."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import TypeVar

from functions.order_executor import collecting
from functions.order_executor.collecting import History
from functions.order_executor.lease import RECV_WINDOW_MS, Lease
from functions.order_executor.ledger import Ledger, update_order
from shared.clock import utc_now
from shared.errors import ClockSkewed, ExchangeError, NotFound
from shared.exchange.futures import LOOK_UP_TIMEOUT_S, ORDER_TIMEOUT_S, FuturesAccount, Stamp
from shared.exchange.markets import EXIT_READ_TIMEOUT_S
from shared.exchange.venue_views import AccountView, OrderView
from shared.models.execution import Execution, HistoryReach
from shared.models.order import Order
from shared.observability import logger
from shared.trading.filters import SymbolFilters
from shared.trading.order_planning import PlannedOrder
from shared.trading.position_accounting import Fill
from shared.trading.readiness import KeyPermissions

_LOOK_UPS = 2
_LOOK_UP_PAUSE_S = 0.3

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class KnownAmounts:
    """What was known of a position at one moment without a read of its fills."""

    held: Decimal
    """The venue's position."""
    left: Decimal
    """What was ours of it."""
    exited: Decimal
    """What our exits had filled by the exchange's answers."""


@dataclass(slots=True)
class ExecutionSession:
    """One execution while this worker holds the lease on its account and symbol."""

    ledger: Ledger
    account: FuturesAccount
    filters: SymbolFilters
    filters_known: bool = True
    """False while the filters cannot be read: then none apply, and nothing is sent that has to be fitted to them."""
    known_permissions: KeyPermissions | None = None
    """The key's permissions by its last verdict: they serve an entry while they cannot be read."""
    fills: tuple[Fill, ...] = field(default=(), init=False)
    """The exchange's fills on the symbol since the execution was created, as they were read last."""
    stop_unlisted: bool = field(default=False, init=False)
    """Whether the last list of open orders lacked a stop that the position needs."""
    stop_move_pending: bool = field(default=False, init=False)
    """Whether the stop or the take-profits are to move, or may have to, and this look could not see to it."""
    view_at_entry: AccountView | None = field(default=None, init=False)
    """The account before the entry; only in the session that has sent it."""
    read_at: datetime | None = field(default=None, init=False)
    """When this session first read the position."""
    liquidation_price: Decimal | None = field(default=None, init=False)
    """The mark price at which the exchange closes the position, as it was read last; None if there is none.

    Before a new position is read, the earliest price that its entry was sized for.
    """
    kept_orders: tuple[OrderView, ...] | None = field(default=None, init=False)
    """Our orders that a close has listed and left standing; None before one has read the list."""
    unseen_orders: list[Order] = field(default_factory=list, init=False)
    """Orders whose effect on a protected position this worker has not seen."""
    known_amounts: KnownAmounts | None = field(default=None, init=False)
    """What a close goes by whose fills were not read; None once they are."""
    _history: History | None = field(default=None, init=False)

    @classmethod
    async def resume(cls, ledger: Ledger, account: FuturesAccount) -> ExecutionSession:
        """Return the session of an execution whose entry was begun.

        Where no filters can be had, none apply: the stop has its prices on record, and an amount that was filled can
        be closed. A symbol that is no longer listed has none either; the exchange closes its positions.
        """
        filters = await account.filters_for_exit(ledger.symbol)
        return cls(
            ledger=ledger,
            account=account,
            filters=filters or SymbolFilters.without_conditions(ledger.symbol),
            filters_known=filters is not None,
        )

    @property
    def execution(self) -> Execution:
        """The execution, as it was read or written last."""
        return self.ledger.execution

    @property
    def lease(self) -> Lease:
        """The lease on account and symbol."""
        return self.ledger.lease

    @property
    def symbol(self) -> str:
        """The symbol, BASE/QUOTE."""
        return self.ledger.symbol

    async def read_account(self) -> AccountView:
        """Read everything that an entry depends on."""
        return await self.account.read(self.symbol, known_permissions=self.known_permissions)

    async def renew_filters(
        self, refused: SymbolFilters, *, sent_at_s: float, timeout_s: float = EXIT_READ_TIMEOUT_S
    ) -> bool:
        """Read the filters again after a request, sent at a monotonic time, was refused; return whether they are read.

        Two orders of one execution may be refused together: the second finds the filters renewed.
        """
        if self.filters != refused:
            return True
        try:
            self.filters = await self.account.renewed_filters(
                self.symbol, refused=refused, sent_at_s=sent_at_s, timeout_s=timeout_s
            )
        except (ExchangeError, NotFound) as error:
            logger.warning("filters_not_renewed", execution_id=self.execution.id, detail=str(error))
            return False
        self.filters_known = True
        return True

    async def send(self, request: Callable[[Stamp], Awaitable[_T]], *, window_ms: int = RECV_WINDOW_MS) -> _T:
        """Make one write inside the lease; repeat it once with a new timestamp if the first one was refused."""
        try:
            return await self._send_once(request, await self.lease.stamp(at_most_ms=window_ms))
        except ClockSkewed:
            return await self._send_once(request, await self.lease.stamp(at_most_ms=window_ms))

    async def _send_once(self, request: Callable[[Stamp], Awaitable[_T]], stamp: Stamp) -> _T:
        with self.lease.writing(stamp):
            return await request(stamp)

    async def place(
        self,
        planned: PlannedOrder,
        order: Order,
        *,
        stamp: Stamp | None = None,
        window_ms: int = RECV_WINDOW_MS,
        timeout_s: float = ORDER_TIMEOUT_S,
    ) -> OrderView:
        """Send one intended order. With a `stamp`, the one on record, its timestamp is not renewed."""

        async def request(used: Stamp) -> OrderView:
            order.sent_at = utc_now()
            order.exchange_time_ms, order.recv_window_ms = used.timestamp_ms, used.recv_window_ms
            return await self.account.place(
                self.symbol, planned, client_order_id=order.client_order_id, stamp=used, timeout_s=timeout_s
            )

        view = await (self.send(request, window_ms=window_ms) if stamp is None else self._send_once(request, stamp))
        update_order(order, view)
        return view

    async def cancel(self, view: OrderView) -> bool:
        """Cancel a standing order; return False when it was no longer standing."""
        return await self.send(lambda stamp: self.account.cancel(self.symbol, view, stamp=stamp))

    async def look_up(self, order: Order, *, timeout_s: float = LOOK_UP_TIMEOUT_S) -> OrderView | None:
        """Ask the exchange for an order by its client id. None, once, proves nothing: its books may lag."""
        view = await self.account.find_order(
            self.symbol, order.client_order_id, conditional=order.conditional, timeout_s=timeout_s
        )
        if view is not None:
            update_order(order, view)
        return view

    async def look_up_twice(self, order: Order) -> OrderView | None:
        """Ask for an order, and once more after a pause: not found once is not gone."""
        for number in range(_LOOK_UPS):
            if number:
                await asyncio.sleep(_LOOK_UP_PAUSE_S)
            view = await self.look_up(order)
            if view is not None:
                return view
        return None

    async def read_fills(self) -> tuple[Fill, ...]:
        """Return the exchange's fills on the symbol since the execution was created; kept in `fills`."""
        history = await self.history()
        self.fills = await history.book.read(self.ledger.orders.values())
        self.known_amounts = None
        return self.fills

    async def history(self) -> History:
        """Return the execution's fills and funding, as they are stored and as they were read since."""
        if self._history is None:
            self._history = await History.open(self.ledger, self.account)
        return self._history

    async def collect(self) -> HistoryReach:
        """Store what was read of the history, or is due to be read; return how far it reaches, for the ledger."""
        if self._history is None and not collecting.is_due(self.execution, utc_now()):
            return HistoryReach()
        return await collecting.collect(await self.history())

    def fills_of(self, *orders: Order) -> tuple[Fill, ...]:
        """Return those of `fills` that belong to some of our orders."""
        ids = {order.client_order_id for order in orders}
        return tuple(fill for fill in self.fills if fill.client_order_id in ids)

    async def position(self) -> Decimal:
        """Return the amount at the venue on the execution's side; 0 when flat or on the other side."""
        self.read_at = self.read_at or utc_now()
        view = await self.account.position(self.symbol)
        self.liquidation_price = view.liquidation_price
        return max(view.amount * self.execution.side.sign, Decimal(0))
