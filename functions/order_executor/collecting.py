"""Stores an execution's fills and funding as they are seen, so that the exchange is asked only for what is new.

The exchange lists them for three months, and the longer a position lives, the more requests its whole history takes.
Rows are stored before the record of how far they reach, which only the holder of the lease writes: a crash, or two
workers at once, make the same rows again.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from pynamodb.exceptions import PynamoDBException

from functions.order_executor.fills import STORED_LATE_BY, FillBook
from functions.order_executor.ledger import CLOCK_ALLOWANCE, Ledger
from shared.clock import from_ms, to_ms, utc_now
from shared.config import settings
from shared.errors import ExchangeError
from shared.exchange import history, markets, weights
from shared.exchange.futures import FuturesAccount, now_ms
from shared.exchange.gate import Request, Work
from shared.exchange.lanes import limiter_of
from shared.models.base import in_chunks
from shared.models.execution import Execution, HistoryReach
from shared.models.position_history import HistoryKind, PositionHistory
from shared.observability import ATTENTION_NEEDED, count_outcome, logger
from shared.trading.funding import FundingPayment, Income, funding_span, may_have_funding, whole_hour
from shared.trading.position_accounting import Fill, NetFill, net_foreign_fills

_COLLECT_EVERY = timedelta(hours=24)
_SPREAD = timedelta(hours=12)
"""Positions of one alert are collected up to this much earlier, each at a time of its own."""
_ALARM_AFTER = timedelta(days=14)
_READABLE_ANEW = timedelta(days=6)
"""Younger executions can be read from the exchange in one request, should our table fail."""
_NETTED_AFTER = timedelta(days=8)
"""Older than what is ever read from the exchange once more (`FillBook.read_the_last_days_again`)."""
_WORTH_NETTING = 100
_NETTED_AT_ONCE = 1_000
"""So many fills are moved, after they went into nets, with one reconciliation: 80 requests of our table."""
_MOVED_TOGETHER = 250
"""So many while the lease is not renewed."""


@dataclass(slots=True)
class History:
    """What the exchange has recorded of an execution's position, as far as this worker has read it."""

    ledger: Ledger
    account: FuturesAccount
    book: FillBook
    _funding: dict[str, FundingPayment]
    _netted: set[int]
    _funding_stored_until: datetime | None
    _left_over: dict[int, Fill] = field(default_factory=dict)
    """Fills that a stored net stands for, and that are not moved yet."""
    _new_incomes: list[PositionHistory] = field(default_factory=list)
    _funding_until: datetime | None = None

    @classmethod
    async def open(cls, ledger: Ledger, account: FuturesAccount) -> History:
        """Return the history as it is stored; raise PynamoDBException if it cannot be read and is needed."""
        execution = ledger.execution
        from_the_start = cls(ledger, account, FillBook(account, ledger.symbol, ledger.begun_at), {}, set(), None)
        if execution.fills_stored_until is None:
            return from_the_start
        try:
            stored = await asyncio.to_thread(PositionHistory.read, execution.id)
        except PynamoDBException as error:
            if utc_now() - execution.created_at > _READABLE_ANEW:
                raise
            logger.warning("history_not_read", execution_id=execution.id, error=type(error).__name__)
            return from_the_start
        book = FillBook(account, ledger.symbol, _fills_since(execution), stored.fills)
        return cls(
            ledger, account, book, stored.funding, stored.netted, execution.funding_stored_until, stored.left_over
        )

    async def read_funding(self, opened_at: datetime, until: datetime) -> list[FundingPayment]:
        """Return the account's funding from a position's opening to a time; only what is not stored is asked for."""
        since, last = funding_span(opened_at, until)
        if self._funding_stored_until is not None:
            since = max(since, self._funding_stored_until - STORED_LATE_BY)
        if may_have_funding(since, until):
            read_at = from_ms(now_ms())
            new = await self.account.funding(self.ledger.symbol, since, last)
            self._add_incomes(HistoryKind.FUNDING, {number: new[number] for number in new.keys() - self._funding})
            self._funding |= new
            self._funding_until = min(read_at, last)
        return list(self._funding.values())

    async def read_liquidation_fees(self, since: datetime, until: datetime) -> list[Income]:
        """Return what liquidations between two times cost beside their fills."""
        found = await self.account.liquidation_fees(self.ledger.symbol, since, until)
        self._add_incomes(HistoryKind.LIQUIDATION_FEE, found)
        return list(found.values())

    def _add_incomes(self, kind: HistoryKind, incomes: dict[str, FundingPayment] | dict[str, Income]) -> None:
        execution_id = self.ledger.execution.id
        self._new_incomes += [PositionHistory.of_income(execution_id, kind, *one) for one in sorted(incomes.items())]

    async def store(self) -> HistoryReach:
        """Store what was read and is not stored yet; return how far it reaches, for the execution's record."""
        await self._price_fees()
        execution, fills = self.ledger.execution, self.book.unstored()
        entries = [PositionHistory.of_fill(execution.id, number, fill) for number, fill in sorted(fills.items())]
        if entries or self._new_incomes:
            await asyncio.to_thread(PositionHistory.store, [*entries, *self._new_incomes])
            self.book.stored |= fills
            self._new_incomes.clear()
        reached = HistoryReach()
        if self.book.read_until is not None:
            reached["fills_stored_until"] = self.book.read_until
        if self._funding_until is not None:
            reached["funding_stored_until"] = self._funding_until
        return reached

    async def net_old_fills(self) -> None:
        """Net the owner's fills that are older than a week, and move some of those that nets stand for.

        The nets are stored first: a fill that is not moved yet is left out from then on, and moved by a later
        reconciliation, should this worker crash or have moved enough.
        """
        nets = self._nets_to_make() if len(self._left_over) < _NETTED_AT_ONCE else []
        if nets:
            rows = [PositionHistory.of_net(self.ledger.execution.id, net) for net in nets]
            await asyncio.to_thread(PositionHistory.store, rows)
        for net in nets:
            self._left_over |= {number: self.book.stored[number] for number in net.numbers}
            self.book.put_net(net)
            self._netted.add(net.numbers[-1])
        await self._move_netted()

    def _nets_to_make(self) -> list[NetFill]:
        """Return nets of some of the fills, or none if they are few.

        What the execution's record does not say to be stored is not netted: the exchange lists it once more, should
        this worker crash before it says so.
        """
        execution = self.ledger.execution
        if execution.fills_stored_until is None:
            return []
        until = whole_hour(min(from_ms(now_ms()) - _NETTED_AFTER, _fills_since(execution)))
        old = sum(fill.at <= until for number, fill in self.book.stored.items() if number not in self._netted)
        if old < _WORTH_NETTING:
            return []
        found = net_foreign_fills(
            self.book.stored,
            execution_id=execution.id,
            entry_side=execution.side,
            prefix=settings().broker_prefix,
            until=until,
            netted=self._netted,
        )
        counts = itertools.accumulate((len(net.numbers) for net in found), initial=0)
        return [net for net, before in zip(found, counts, strict=False) if before < _NETTED_AT_ONCE]

    async def _move_netted(self) -> None:
        for numbers in in_chunks(sorted(self._left_over)[:_NETTED_AT_ONCE], _MOVED_TOGETHER):
            await self.ledger.lease.renew_if_short()
            fills = {number: self._left_over[number] for number in numbers}
            await asyncio.to_thread(PositionHistory.move_netted, self.ledger.execution.id, fills)
            for number in numbers:
                del self._left_over[number]

    async def _price_fees(self) -> None:
        """Give the fees that were paid in other assets their last price, which is the one of the fill, nearly."""
        prices: dict[str, Decimal] = {}
        for asset in sorted({fill.fee_asset for fill in self.book.fills if fill.fee_price is None}):
            price = None
            with contextlib.suppress(ExchangeError):
                price = await self.account.price_of_asset(asset)
            if price is None:
                logger.warning("fee_without_price", execution_id=self.ledger.execution.id, asset=asset)
            else:
                prices[asset] = price
        self.book.set_fee_prices(prices)


def is_due(execution: Execution, now: datetime) -> bool:
    """Return whether what is new of a position should be read, although nothing has happened to it."""
    return now - _collected_at(execution) >= _COLLECT_EVERY - _SPREAD * _share_of(execution)


def fills_weight(execution: Execution, until: datetime) -> int:
    """Return the request weight of reading the fills that are not stored yet: that of one request for each week."""
    return weights.FILLS * history.request_count(to_ms(_fills_since(execution)), to_ms(until))


def funding_weight(execution: Execution, until: datetime) -> int:
    """Return the request weight of reading the funding that is not stored yet; 0 where there can be none."""
    stored_until = execution.funding_stored_until
    since = _collected_at(execution) if stored_until is None else stored_until - STORED_LATE_BY
    if not may_have_funding(since, until):
        return 0
    requests = history.request_count(to_ms(since), to_ms(until), span_ms=history.INCOME_SPAN_MS)
    return markets.funding_weight(execution.symbol) * requests


def _fills_since(execution: Execution) -> datetime:
    begun_at = execution.created_at - CLOCK_ALLOWANCE
    stored_until = execution.fills_stored_until
    return begun_at if stored_until is None else max(begun_at, stored_until - STORED_LATE_BY)


def _collected_at(execution: Execution) -> datetime:
    return execution.funding_stored_until or execution.entry_filled_at or execution.created_at


def _share_of(execution: Execution) -> float:
    """Return a number from 0 to 1, the same each time, by the execution's id."""
    return int(execution.id[:8], 16) / 0xFFFFFFFF


async def collect(found: History) -> HistoryReach:
    """Store what was read; once a day, read what is new first. Return how far it reaches, for the execution's record.

    What the lane has no weight for, and a request that fails, is repeated with the next reconciliation.
    """
    execution, now = found.ledger.execution, utc_now()
    if is_due(execution, now):
        weight = fills_weight(execution, now) + funding_weight(execution, now)
        try:
            with await limiter_of(found.account.lane).admit(Request(Work.LOOK, weight)):
                await _read_new(found)
        except ExchangeError as error:
            logger.warning("history_not_collected", execution_id=execution.id, detail=str(error))
            if now - _collected_at(execution) > _ALARM_AFTER:
                logger.error("history_overdue", execution_id=execution.id)
                count_outcome(ATTENTION_NEEDED)
    reached = await found.store()
    try:
        await found.net_old_fills()
    except PynamoDBException as error:
        logger.warning("fills_not_netted", execution_id=execution.id, error=type(error).__name__)
    return reached


async def _read_new(found: History) -> None:
    execution = found.ledger.execution
    await found.book.read(found.ledger.orders.values())
    await found.read_funding(execution.entry_filled_at or execution.created_at, from_ms(now_ms()))
