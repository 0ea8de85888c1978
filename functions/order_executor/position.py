"""What is left of an execution's position, by the exchange's fills. Sends nothing.

A position that reads 0 once may be a late answer, and one that does not read 0 may be the owner's. So fills decide what
is ours, what is left of it, and whether it has ended.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from functions.order_executor import collecting
from functions.order_executor.session import ExecutionSession, KnownAmounts
from functions.order_executor.unlisted import EXIT_LEGS, is_complete, unlisted_amount
from shared.clock import utc_now
from shared.config import settings
from shared.exchange.gate import Request, Work
from shared.exchange.lanes import limiter_of
from shared.models.order import Order, OrderStatus
from shared.observability import logger
from shared.trading.execution import CloseReason, ExecutionState
from shared.trading.funding import FundingPayment, Income
from shared.trading.ids import ENTRY_LEGS, Leg, parse_client_order_id
from shared.trading.position_accounting import Booking, Fill, book_position

_END_POLLS = 8
_POLL_S = 0.2


def position_from_fills(
    session: ExecutionSession,
    *,
    include_other_executions: bool = False,
    payments: Sequence[FundingPayment] = (),
    liquidation_fees: Sequence[Income] = (),
) -> Booking | None:
    """Return the position by the fills that were read last, or None if no entry shows yet.

    `include_other_executions` counts what another execution of ours has closed as well. That must not happen, but the
    position is closed all the same.
    """
    execution, prefix = session.execution, settings().broker_prefix
    fills = session.fills
    if include_other_executions:
        fills = tuple(_as_owners(fill, execution.id, prefix=prefix) for fill in fills)
    return book_position(
        execution_id=execution.id,
        entry_side=execution.side,
        fills=fills,
        prefix=prefix,
        close_leg_reason=CloseReason(execution.close_reason) if execution.close_reason else CloseReason.ADMIN,
        payments=payments,
        liquidation_fees=liquidation_fees,
    )


def _as_owners(fill: Fill, execution_id: str, *, prefix: str) -> Fill:
    """Return another execution's fill without its client id, as if the owner had traded."""
    ref = parse_client_order_id(fill.client_order_id, prefix=prefix)
    return fill if ref is None or ref.execution_id == execution_id else replace(fill, client_order_id="")


async def left_of_ours(session: ExecutionSession) -> Decimal:
    """Read the fills, and return how much of ours is still open.

    Fills that the exchange has confirmed, but does not list yet, count as well.
    """
    await session.read_fills()
    return left_by_last_read(session)


async def left_to_close(session: ExecutionSession) -> Decimal:
    """Return how much of ours is still open, without reading weeks of fills while the position shows it.

    That is: as long as the venue holds what it held when the position was last compared with the fills, but for what
    this close has filled since.
    """
    history = await session.history()
    if not history.book.takes_one_request():
        left = await _left_if_unchanged(session)
        if left is not None:
            return left
        # A position without a stop asks nobody.
        if session.execution.state is not ExecutionState.FLATTENING:
            request = Request(Work.CLOSE, collecting.fills_weight(session.execution, utc_now()))
            with await limiter_of(session.account.lane).admit(request):
                return await left_of_ours(session)
    return await left_of_ours(session)


async def _left_if_unchanged(session: ExecutionSession) -> Decimal | None:
    """Return how much of ours is still open if only our close has changed the position; None if others may have."""
    held, exited = await session.position(), unlisted_amount(session, EXIT_LEGS)
    known = session.known_amounts
    if known is None:
        left = recorded_amount(session, held)
        if left is not None:
            session.known_amounts = KnownAmounts(held=held, left=left, exited=exited)
        return left
    closed = exited - known.exited
    return known.left - closed if held == known.held - closed else None


def recorded_amount(session: ExecutionSession, held: Decimal) -> Decimal | None:
    """Return the amount that our records have of ours; None if the venue's position has changed since, or may yet.

    A position that was not looked at yet has not changed while it is what its entry has filled.
    """
    seen, known = session.execution.seen_amount, session.lease.slot.quantity
    unchanged = held == (known if seen is None else seen)
    return known if unchanged and len(entries_that_may_fill(session)) == 1 else None


def entries_that_may_fill(session: ExecutionSession) -> list[Order]:
    """Return the entries that have filled or may still do so; one that expired unfilled cannot."""
    entries = session.ledger.of_leg(Leg.ENTRY)
    return [order for order in entries if order.filled or order.status is not OrderStatus.CANCELLED]


def left_by_last_read(session: ExecutionSession) -> Decimal:
    """Return how much of ours is still open by the fills that were read last and by what our orders confirm."""
    known = session.known_amounts
    if known is not None:
        return known.left - (unlisted_amount(session, EXIT_LEGS) - known.exited)
    seen = position_from_fills(session)
    if seen is None:
        left = session.execution.filled_amount or Decimal(0)
    else:
        left = seen.open_amount + unlisted_amount(session, ENTRY_LEGS)
    return max(left - unlisted_amount(session, EXIT_LEGS), Decimal(0))


async def wait_for_end(
    session: ExecutionSession,
    *,
    polls: int = _END_POLLS,
    include_other_executions: bool = False,
    already_read: bool = False,
) -> Booking | None:
    """Return the ended position once the fills show that nothing of it is left; None if they do not within `polls`.

    While a fill that the exchange has confirmed is not listed, they do not: the booking would lack it.

    `already_read` begins with the fills that were read a moment ago, before a close whose fill they may lack.
    """
    for attempt in range(0 if already_read else 1, polls + 1):
        if attempt:
            await session.read_fills()
        end = position_from_fills(session, include_other_executions=include_other_executions)
        if end is not None and end.close_reason is not None and is_complete(session):
            return end
        if 0 < attempt < polls:
            await asyncio.sleep(_POLL_S * attempt)
            await session.lease.renew_if_short()
    logger.warning("fills_incomplete", execution_id=session.execution.id)
    return None
