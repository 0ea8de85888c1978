"""Closes a position: cancels the take-profits, sells what is ours reduce-only, verifies by the fills.

The stop is cancelled last. Every step can be repeated after a crash. A close is for what is left of ours by the fills
(`position.py`), and for no more than the venue holds.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum

from pynamodb.exceptions import PynamoDBException

from functions.order_executor.close_refusals import Refusal, Refusals
from functions.order_executor.position import left_by_last_read, left_to_close
from functions.order_executor.session import ExecutionSession
from functions.order_executor.venue_orders import cancel, cancel_ours, is_ours, leg_of
from shared.clock import utc_now
from shared.errors import (
    AddressBanned,
    ExchangeAuthorizationFailed,
    ExchangeError,
    ExchangeRejected,
    RecordChanged,
    WeightExhausted,
)
from shared.exchange import error_codes
from shared.exchange.venue_views import OrderView
from shared.models.order import Order, OrderStatus
from shared.observability import logger
from shared.trading.execution import CloseReason, ExecutionState
from shared.trading.fitting import allowed_amount
from shared.trading.ids import STOP_LEGS, Leg
from shared.trading.order_planning import OrderType, plan_close

_ROUNDS = 6
_PAUSE_S = 0.2
_DUST_FILTERS_AGE_S = 60.0
"""How old the filters may be that make a rest dust."""
_LISTS_LAG = timedelta(seconds=10)
_WINDOW_MS = 1_500
"""Short, because after a close without an answer the next one must wait until this window has passed."""
_NOT_REPEATED = (AddressBanned, ExchangeAuthorizationFailed, WeightExhausted)
_CLOSING_STATE = {Leg.CLOSE: ExecutionState.CLOSING, Leg.FLATTEN: ExecutionState.FLATTENING}


class Closed(StrEnum):
    """The result of a close."""

    WHOLE = "WHOLE"
    """Nothing of ours is left, by the fills or by the exchange's answer."""
    NOT_YET = "NOT_YET"
    DUST = "DUST"
    """The rest is less than the exchange takes as a market order."""


async def close(session: ExecutionSession, *, leg: Leg, reason: CloseReason, blind: bool = False) -> Closed:
    """Close what is ours, in up to six rounds.

    An unfinished close leaves the execution CLOSING or FLATTENING with its stop standing, to be reconciled soon.
    `blind`, for a fill of a moment ago, sends the first close before any read, because the position is naked.
    """
    await _record_state(session, leg, reason)
    refusals = Refusals()
    for round_number in range(_ROUNDS):
        try:
            renewed = refusals.last is not None and await _renew_filters(session, refusals.last)
            if blind and not round_number:
                amount: Decimal | Closed = _orderable(session, session.execution.filled_amount or Decimal(0))
            else:
                amount = await _next_amount(session, overlap=refusals.overlap, with_position=round_number > 0)
            if isinstance(amount, Closed):
                return amount
            if renewed and amount in refusals.contradicted:
                logger.error("close_refused", execution_id=session.execution.id, amount=str(amount))
                return Closed.NOT_YET  # the same order would be refused again
            amount = refusals.cut_until_untried(amount)
            if amount:
                refusals.record(await reduce(session, leg, amount))
            if not left_by_last_read(session) or not await _left(session):
                return Closed.WHOLE
        except ExchangeError as error:
            if leg is Leg.CLOSE and isinstance(error, _NOT_REPEATED):
                raise  # the position has its stop, and repeating would change nothing
            logger.warning("close_interrupted", execution_id=session.execution.id, detail=str(error))
        # A close without an answer may still be carried out, so no second one is sent before its window ends.
        await session.lease.wait_for_unanswered()
        if round_number:
            await asyncio.sleep(_PAUSE_S * round_number)
    return Closed.NOT_YET


async def _renew_filters(session: ExecutionSession, refused: Refusal) -> bool:
    """Read the filters again if they made the exchange refuse the close; return whether they are read."""
    if refused.code not in error_codes.FILTERS_CONTRADICTED:
        return False
    return await session.renew_filters(refused.sent_with, sent_at_s=refused.sent_at_s)


async def _record_state(session: ExecutionSession, leg: Leg, reason: CloseReason) -> None:
    execution, state = session.execution, _CLOSING_STATE[leg]
    if execution.state in {state, ExecutionState.FLATTENING}:
        return
    try:
        if execution.state is ExecutionState.ENTERING:
            await session.ledger.advance(ExecutionState.UNPROTECTED, filled_amount=execution.filled_amount)
        await session.ledger.advance(
            state,
            close_reason=execution.close_reason or reason.value,
            filled_amount=execution.filled_amount,
        )
    except (PynamoDBException, RecordChanged):
        # A naked position is closed first and recorded later.
        if leg is not Leg.FLATTEN:
            raise
        logger.exception("flattening_not_noted", execution_id=execution.id)


async def _next_amount(session: ExecutionSession, *, overlap: bool, with_position: bool) -> Decimal | Closed:
    """Cancel what stands in the way, and return the amount of the next close; 0 while position and fills disagree.

    Without the position, all that is ours by the fills is sent: the exchange cuts a reduce-only order to the position.
    Standing reduce-only orders may make the exchange refuse the close, so take-profits are cancelled first. After such
    a refusal (`overlap`) limit stops are cancelled too; the stop that closes the whole position stays to the end.
    """
    session.kept_orders = None
    standing = await session.account.open_orders(session.symbol)
    ours = [view for view in standing if is_ours(session, view)]
    await cancel(session, [view for view in ours if not _is_kept(session, view, overlap=overlap)])
    session.kept_orders = tuple(view for view in ours if _is_kept(session, view, overlap=overlap))
    left = await _left(session)
    held = await session.position() if with_position else None
    if not left:
        return Closed.WHOLE
    if not _orderable(session, left):
        # The filters may be hours old, and nobody refuses what is not sent.
        await session.renew_filters(session.filters, sent_at_s=time.monotonic() - _DUST_FILTERS_AGE_S)
    if not _orderable(session, left):
        return Closed.DUST
    if held is None:
        return _orderable(session, left)
    room = held
    if overlap:
        room -= sum((view.remaining for view in standing if _overlaps(session, view)), Decimal(0))
    return _orderable(session, min(left, room if room > 0 else held))


async def _left(session: ExecutionSession) -> Decimal:
    """Return what is left of ours; by our orders alone when the position's history cannot be read from our table."""
    try:
        return await left_to_close(session)
    except PynamoDBException:
        logger.exception("history_not_read", execution_id=session.execution.id)
        return left_by_last_read(session)


def _is_kept(session: ExecutionSession, view: OrderView, *, overlap: bool) -> bool:
    return leg_of(session, view) in STOP_LEGS and (view.close_position or not overlap)


def _overlaps(session: ExecutionSession, view: OrderView) -> bool:
    """Return whether the order is the owner's and reserves part of the position that a close needs."""
    closing_side = view.side is session.execution.side.opposite
    return closing_side and view.reduce_only and not view.close_position and not is_ours(session, view)


def _orderable(session: ExecutionSession, amount: Decimal) -> Decimal:
    """Return the part of an amount that one market order can carry, or 0."""
    return allowed_amount(amount, OrderType.MARKET, filters=session.filters)


async def reduce(session: ExecutionSession, leg: Leg, amount: Decimal) -> Refusal | None:
    """Send one reduce-only market order, and return its refusal, if any; the fills show what it closed."""
    if not amount:
        return None
    planned = plan_close(leg=leg, entry_side=session.execution.side, amount=amount)
    order = session.ledger.intend(planned)
    await _save_order(session, leg)
    refused = None
    sent_with, sent_at_s = session.filters, time.monotonic()
    try:
        await session.place(planned, order, window_ms=_WINDOW_MS)
    except ExchangeRejected as error:
        # -2022 "reduce only rejected": a stop or take-profit has just filled, as the fills will show.
        order.status, order.error = OrderStatus.REJECTED, str(error.code)
        refused = Refusal(code=error.code, amount=amount, sent_with=sent_with, sent_at_s=sent_at_s)
    except ExchangeError as error:
        order.error = type(error).__name__
        with contextlib.suppress(ExchangeError):
            await session.look_up(order)
    await _save_order(session, leg)
    return refused


async def _save_order(session: ExecutionSession, leg: Leg) -> None:
    try:
        await session.ledger.save_orders(*session.ledger.of_leg(leg)[-1:])
    except PynamoDBException:
        if leg is not Leg.FLATTEN:
            raise
        logger.exception("flattening_not_noted", execution_id=session.execution.id)


async def clear(session: ExecutionSession) -> None:
    """Cancel every order of this execution: none may stand on a flat account.

    After a close, what it has left standing is known; only if that is gone by itself, others may have come of it. An
    order that may have arrived, or was placed a moment ago, is looked up by its id as well, because the exchange's
    lists may be late; so may be its look-up, which is why it is repeated. When that fails, raise, unless the order was
    never answered: its request can no longer be carried out by now, and the lists are enough.
    """
    kept = session.kept_orders
    if kept is None or len(await cancel(session, kept)) < len(kept):
        await cancel_ours(session)
    session.kept_orders = None
    unknown = [o for o in session.ledger.orders.values() if _may_stand_unseen(session, o)]
    views = await asyncio.gather(*(_look_up_unlisted(session, order) for order in unknown))
    await cancel(session, [view for view in views if view is not None and view.status.is_open])


async def _look_up_unlisted(session: ExecutionSession, order: Order) -> OrderView | None:
    try:
        return await session.look_up_twice(order)
    except ExchangeError:
        if order.status is OrderStatus.OPEN or order.sent_at is None:
            raise
        return None


def _may_stand_unseen(session: ExecutionSession, order: Order) -> bool:
    if order.status is OrderStatus.INTENDED:
        return session.ledger.may_have_been_sent(order)
    fresh = order.sent_at is not None and utc_now() - order.sent_at < _LISTS_LAG
    return fresh and order.status is OrderStatus.OPEN
