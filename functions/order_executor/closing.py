"""Getting out: take-profits cancelled, ours closed reduce-only, verified by the fills, the stop cancelled last.

Every step can be repeated after a crash. Closes at most what is ours, and only what the venue holds. What is left of
ours is told by the exchange's fills: a position that reads 0 once may be a late answer, and one that does not read 0
may be the owner's.
"""

from __future__ import annotations

import asyncio
import contextlib
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum

from pynamodb.exceptions import PynamoDBException

from functions.order_executor.position import left_of_ours
from functions.order_executor.session import ExecutionSession
from functions.order_executor.venue_orders import cancel, cancel_ours, is_ours, leg_of
from shared.clock import utc_now
from shared.errors import (
    AddressBanned,
    ExchangeAuthorizationFailed,
    ExchangeError,
    ExchangeRejected,
    RecordChanged,
)
from shared.exchange import error_codes
from shared.exchange.venue_views import OrderView
from shared.models.order import Order, OrderStatus
from shared.observability import logger
from shared.trading.execution import CloseReason, ExecutionState
from shared.trading.filters import round_down
from shared.trading.ids import STOP_LEGS, Leg
from shared.trading.order_planning import plan_close

_ROUNDS = 6
_PAUSE_S = 0.2
_LISTS_LAG = timedelta(seconds=10)
_WINDOW_MS = 1_500
"""Short: until a lost close can no longer be carried out, nothing else may be tried."""
_CLOSING_STATE = {Leg.CLOSE: ExecutionState.CLOSING, Leg.FLATTEN: ExecutionState.FLATTENING}


class Closed(StrEnum):
    """What a close came to."""

    WHOLE = "WHOLE"
    """The fills show that nothing of ours is left, or the exchange's own answer says so."""
    NOT_YET = "NOT_YET"
    DUST = "DUST"
    """What is left is less than the exchange takes as a market order."""


async def close(session: ExecutionSession, *, leg: Leg, reason: CloseReason, blind: bool = False) -> Closed:
    """Close what is ours, in a few rounds.

    What is not whole leaves the execution CLOSING or FLATTENING with its stop standing, to be taken up again soon.
    `blind`, for a fill of a moment ago, sends the first close before any question: the position is naked.
    """
    await _enter(session, leg, reason)
    refused = None
    for round_number in range(_ROUNDS):
        try:
            if blind and not round_number:
                refused = await reduce(session, leg, _orderable(session, session.execution.filled_amount or Decimal(0)))
            else:
                amount = await _to_close(session, overlap=refused in error_codes.REDUCE_ONLY_REFUSED)
                if isinstance(amount, Closed):
                    return amount
                refused = await reduce(session, leg, amount)
            if not await left_of_ours(session):
                return Closed.WHOLE
        except ExchangeError as error:
            if leg is Leg.CLOSE and isinstance(error, AddressBanned | ExchangeAuthorizationFailed):
                raise  # the position has its stop, and asking on would change nothing
            logger.warning("close_interrupted", execution_id=session.execution.id, detail=str(error))
        # A close without an answer may still be carried out: no second one before that is impossible.
        await session.lease.outlast_unsure()
        if round_number:
            await asyncio.sleep(_PAUSE_S * round_number)
    return Closed.NOT_YET


async def _enter(session: ExecutionSession, leg: Leg, reason: CloseReason) -> None:
    execution, state = session.execution, _CLOSING_STATE[leg]
    if execution.state in {state, ExecutionState.FLATTENING}:
        return
    try:
        if execution.state is ExecutionState.ENTERING:
            await session.advance(ExecutionState.UNPROTECTED, filled_amount=execution.filled_amount)
        await session.advance(
            state,
            close_reason=execution.close_reason or reason.value,
            filled_amount=execution.filled_amount,
        )
    except (PynamoDBException, RecordChanged):
        # A naked position is closed first and written down after.
        if leg is not Leg.FLATTEN:
            raise
        logger.exception("flattening_not_noted", execution_id=execution.id)


async def _to_close(session: ExecutionSession, *, overlap: bool) -> Decimal | Closed:
    """Clear the way, and return the amount of the next close: 0 while the venue's answers do not fit together yet.

    Standing reduce-only orders may make the exchange refuse the close, so take-profits go first. After such a refusal
    (`overlap`) everything of ours goes that has an amount; the stop that closes the whole position stays to the end.
    """
    standing = await session.account.open_orders(session.symbol)
    ours = [view for view in standing if is_ours(session, view)]
    await cancel(session, [view for view in ours if not _stays(session, view, overlap=overlap)])
    held, left = await asyncio.gather(session.position(), left_of_ours(session))
    if not left:
        return Closed.WHOLE
    if not _orderable(session, left):
        return Closed.DUST
    room = held
    if overlap:
        room -= sum((view.remaining for view in standing if _overlaps(session, view)), Decimal(0))
    return _orderable(session, min(left, room if room > 0 else held))


def _stays(session: ExecutionSession, view: OrderView, *, overlap: bool) -> bool:
    return leg_of(session, view) in STOP_LEGS and (view.close_position or not overlap)


def _overlaps(session: ExecutionSession, view: OrderView) -> bool:
    """Tell whether somebody else's order takes part of what a close could take."""
    closing_side = view.side is session.execution.side.opposite
    return closing_side and view.reduce_only and not view.close_position and not is_ours(session, view)


def _orderable(session: ExecutionSession, amount: Decimal) -> Decimal:
    """Return as much of an amount as one market order can carry, 0 where that is none."""
    filters = session.filters
    whole = round_down(min(amount, filters.market_max_amount or amount), filters.market_step_size)
    return whole if whole >= filters.market_min_amount else Decimal(0)


async def reduce(session: ExecutionSession, leg: Leg, amount: Decimal) -> int | None:
    """Send one reduce-only market order; what came of it is for the fills to tell. Return the code of a refusal."""
    if not amount:
        return None
    planned = plan_close(leg=leg, entry_side=session.execution.side, amount=amount)
    order = session.intend(planned)
    await _note(session, leg)
    refused = None
    try:
        await session.place(planned, order, window_ms=_WINDOW_MS)
    except ExchangeRejected as error:
        # "Reduce only refused" is the race with a stop or a take-profit that has just filled: the fills tell.
        order.status, order.error, refused = OrderStatus.REJECTED, str(error.code), error.code
    except ExchangeError as error:
        order.error = type(error).__name__
        with contextlib.suppress(ExchangeError):
            await session.look_up(order)
    await _note(session, leg)
    return refused


async def _note(session: ExecutionSession, leg: Leg) -> None:
    try:
        await session.note(*session.of_leg(leg)[-1:])
    except PynamoDBException:
        if leg is not Leg.FLATTEN:
            raise
        logger.exception("flattening_not_noted", execution_id=session.execution.id)


async def clear(session: ExecutionSession) -> None:
    """Cancel everything of this execution: nothing of it may stand on a flat account.

    An order of which we do not know whether it arrived is asked for by its id, too, and so is one that was placed a
    moment ago: the exchange's lists may be late. If that cannot be answered, the end waits for an order of another
    worker's. Of one that this worker sent the list is enough, since its request cannot be carried out any more.
    """
    await cancel_ours(session)
    unknown = [o for o in session.orders.values() if _may_stand_unseen(session, o)]
    views = await asyncio.gather(*(_ask_for(session, order) for order in unknown))
    await cancel(session, [view for view in views if view is not None and view.status.is_open])


def _may_stand_unseen(session: ExecutionSession, order: Order) -> bool:
    if order.status is OrderStatus.INTENDED:
        return session.may_have_been_sent(order)
    fresh = order.sent_at is not None and utc_now() - order.sent_at < _LISTS_LAG
    return fresh and order.status is OrderStatus.OPEN


async def _ask_for(session: ExecutionSession, order: Order) -> OrderView | None:
    try:
        return await session.look_up(order)
    except ExchangeError:
        if order.sent_at is None:
            raise
        return None
