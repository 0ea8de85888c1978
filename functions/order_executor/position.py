"""What is left of an execution's position, by the exchange's fills. Sends nothing.

A position that reads 0 once may be a late answer, and one that does not read 0 may be the owner's. So fills decide what
is ours, what is left of it, and whether it has ended.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from functions.order_executor.session import ExecutionSession
from functions.order_executor.unlisted import EXIT_LEGS, is_complete, unlisted_amount
from shared.config import settings
from shared.observability import logger
from shared.trading.execution import CloseReason
from shared.trading.funding import FundingPayment, Income
from shared.trading.ids import ENTRY_LEGS, parse_client_order_id
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


def left_by_last_read(session: ExecutionSession) -> Decimal:
    """Return how much of ours is still open by the fills that were read last and by what our orders confirm."""
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
