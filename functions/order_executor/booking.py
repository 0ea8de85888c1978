"""Ends an execution: books what its position earned, by the exchange's fills, or records why there was none.

Every end is one transaction with the follower's performance and the slot, so that it counts once.
"""

from __future__ import annotations

import asyncio
import uuid
from datetime import datetime, timedelta
from decimal import Decimal

from pynamodb.expressions.update import Action
from pynamodb.transactions import TransactWrite

from functions.order_executor import collecting
from functions.order_executor.collecting import History
from functions.order_executor.ledger import Ledger
from functions.order_executor.position import position_from_fills
from functions.order_executor.session import ExecutionSession
from shared.clock import from_ms, to_ms, utc_now
from shared.ending_followers import remove_follower_if_ended
from shared.errors import RecordChanged
from shared.exchange import weights
from shared.exchange.futures import now_ms
from shared.models.base import SCHEMA_VERSION
from shared.models.execution import Execution
from shared.models.follower_performance import FollowerPerformance
from shared.models.order import OrderStatus
from shared.models.performance_day import PerformanceDay, TradeLedger
from shared.models.position_slot import PositionSlot
from shared.models.trigger import end_trigger_if_finished
from shared.observability import count_outcome, logger
from shared.trading.execution import HOLDS_QUANTITY, AnyReason, ExecutionState
from shared.trading.funding import FundingPayment, Income, may_have_funding
from shared.trading.position_accounting import Booking, average_price, is_liquidation
from shared.trading.symbols import assets_of

_FEE_WITHIN = timedelta(seconds=60)
"""A liquidation's fee is listed at most this long after its fills."""
_FREE_SLOT = (PositionSlot.execution_id.remove(), PositionSlot.follower_id.remove(), PositionSlot.quantity.remove())


async def book(session: ExecutionSession, end: Booking, *, include_other_executions: bool = False) -> bool:
    """Book an ended position and free its slot; return False while the exchange lists no fee of its liquidation.

    Raise RecordChanged when its fills no longer show.
    """
    if session.execution.state is ExecutionState.ENTERING:
        await session.ledger.advance(ExecutionState.UNPROTECTED)  # the write of its fill had failed
    history = await session.history()
    wallet, payments, fees, _ = await asyncio.gather(
        session.account.wallet_balance(),
        _payments(history, end),
        _liquidation_fees(session, history),
        _record_order_ends(session),
    )
    if fees is None:
        return False
    await history.store()
    session.fills = history.book.fills
    final = position_from_fills(
        session, include_other_executions=include_other_executions, payments=payments, liquidation_fees=fees
    )
    if final is None:
        raise RecordChanged("the fills of an ended position are gone: reconcile again")
    unpriced = sorted({fill.fee_asset for fill in session.fills if fill.fee_price is None})
    await _write(session, final, wallet, detail=f"fees in {', '.join(unpriced)} have no price" if unpriced else None)
    return True


def weight(execution: Execution, *, until: datetime | None) -> int:
    """Return the request weight of booking a position that was open until then."""
    until = until or utc_now()
    return weights.BOOKING + collecting.fills_weight(execution, utc_now()) + collecting.funding_weight(execution, until)


def _freed_slot(ledger: Ledger) -> tuple[Action, ...]:
    """Return what frees the slot; nothing where the next execution has taken it while this one was left unbooked."""
    taken = ledger.execution.exited_at is not None and ledger.lease.slot.execution_id != ledger.execution.id
    return () if taken else _FREE_SLOT


async def _payments(history: History, end: Booking) -> list[FundingPayment]:
    """Return the account's funding while the position was open; without a request where there can be none."""
    if end.closed_at is None or not may_have_funding(end.opened_at, end.closed_at):
        return []
    return await history.read_funding(end.opened_at, end.closed_at)


async def _liquidation_fees(session: ExecutionSession, history: History) -> list[Income] | None:
    """Return what a liquidation cost beside its fills; None while that is not listed yet.

    An account that had nothing left has paid none, which the wait ends for.
    """
    liquidated = [fill.at for fill in session.fills if is_liquidation(fill)]
    if not liquidated:
        return []
    last = max(liquidated) + _FEE_WITHIN
    fees = await history.read_liquidation_fees(min(liquidated), last)
    return fees if fees or from_ms(now_ms()) > last else None


async def _record_order_ends(session: ExecutionSession) -> None:
    """Record how the orders ended: filled by their fills; without one, cancelled, or absent when never confirmed."""
    for order in session.ledger.orders.values():
        fills = session.fills_of(order)
        if fills:
            filled = sum((fill.amount for fill in fills), Decimal(0))
            order.filled, order.average = filled, average_price(fills)
            whole = order.amount is None or filled >= order.amount
            order.status = OrderStatus.FILLED if whole else OrderStatus.CANCELLED
        elif order.status is OrderStatus.OPEN:
            order.status = OrderStatus.CANCELLED
        elif order.status is OrderStatus.INTENDED:
            order.status = OrderStatus.ABSENT
    await session.ledger.save_orders(*session.ledger.orders.values())


async def _write(session: ExecutionSession, booking: Booking, wallet: Decimal, *, detail: str | None) -> None:
    execution = session.execution
    now = utc_now()

    def performance(transaction: TransactWrite) -> None:
        record = FollowerPerformance(execution.follower_id)
        transaction.update(
            record,
            actions=[
                # The first booked position creates the record; its id never changes.
                FollowerPerformance.id.set(FollowerPerformance.id | str(uuid.uuid4())),
                FollowerPerformance.total_profit.add(booking.net_profit),
                FollowerPerformance.total_fee.add(booking.fee),
                FollowerPerformance.total_funding.add(booking.funding),
                FollowerPerformance.trades.add(1),
                FollowerPerformance.closed_balance.set(wallet),
                FollowerPerformance.updated_at.set(now),
                FollowerPerformance.schema_version.set(SCHEMA_VERSION),
            ],
        )
        PerformanceDay.add(
            transaction,
            ledger=TradeLedger.STRATEGY,
            user_id=execution.user_id,
            api_key_id=execution.api_key_id,
            closed_at=booking.closed_at or now,
            profit=booking.net_profit,
            fee=booking.fee,
            funding=booking.funding,
            balance=wallet,
            quote=assets_of(execution.symbol)[1],
        )

    reason = booking.close_reason
    naked_ms = execution.naked_ms
    if naked_ms is None and execution.protected_at is None and booking.closed_at is not None:
        naked_ms = max(to_ms(booking.closed_at) - to_ms(booking.opened_at), 0)  # never had a stop
    await session.ledger.advance(
        ExecutionState.CLOSED,
        slot=_freed_slot(session.ledger),
        also=performance,
        detail=detail,
        entry_price=booking.entry_price,
        exit_price=booking.exit_price,
        filled_amount=booking.entered_amount,
        fee=booking.fee,
        funding=booking.funding,
        profit=booking.net_profit,
        profit_pct=booking.profit_pct,
        naked_ms=naked_ms,
        close_reason=reason.value if reason is not None else None,
    )
    execution = session.execution
    count_outcome("position_closed", reason=str(execution.close_reason))
    logger.info(
        "position_closed",
        execution_id=execution.id,
        trigger_id=execution.trigger_id,
        close_reason=str(execution.close_reason),
    )
    await asyncio.to_thread(finish, execution)


async def end_without_position(ledger: Ledger, *, state: ExecutionState, reason: AnyReason, detail: str = "") -> None:
    """End an execution that opened nothing, with its reason; the slot is free again if it was this execution's.

    Once a quantity may have been open, the only end is CLOSED.
    """
    execution = ledger.execution
    if execution.state in HOLDS_QUANTITY:
        state = ExecutionState.CLOSED
    owned = execution.state is not ExecutionState.QUEUED  # the slot is taken together with the intent
    await ledger.advance(state, slot=_freed_slot(ledger) if owned else (), reason=reason, detail=detail or None)
    count_outcome(f"follower_{state.value.lower()}", reason=reason)
    logger.info(
        "execution_ended",
        execution_id=execution.id,
        trigger_id=execution.trigger_id,
        state=state.value,
        reason=reason,
    )
    await asyncio.to_thread(finish, execution)


def finish(execution: Execution) -> None:
    """End the trigger and remove the follower of an execution that has ended, if they waited for it; repeatable."""
    end_trigger_if_finished(execution.trigger_id)
    remove_follower_if_ended(execution)
