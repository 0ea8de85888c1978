"""Getting out: take-profits cancelled, ours closed reduce-only, verified by the fills, the stop cancelled last.

Every step can be repeated after a crash. Closes at most what is ours, and only what the venue holds. What is left of
ours is told by the exchange's fills: a position that reads 0 once may be a late answer, and one that does not read 0
may be the owner's.
"""

from __future__ import annotations

import asyncio
import contextlib
from decimal import Decimal

from pynamodb.exceptions import PynamoDBException

from functions.order_executor import booking
from functions.order_executor.trade import Trade
from shared.config import settings
from shared.errors import ExchangeError, ExchangeRejected, RecordChanged
from shared.exchange.views import OrderView
from shared.models.execution import Execution
from shared.models.order import Order, OrderStatus
from shared.observability import logger
from shared.trading.execution import CloseReason, ExecutionState
from shared.trading.filters import round_down
from shared.trading.ids import STOP_LEGS, Leg, parse_client_order_id
from shared.trading.plan import plan_close

_ROUNDS = 6
_PAUSE_S = 0.2
_WINDOW_MS = 1_500
"""Short: until a lost close can no longer be carried out, nothing else may be tried."""
_CLOSING_STATE = {Leg.CLOSE: ExecutionState.CLOSING, Leg.FLATTEN: ExecutionState.FLATTENING}


async def close(trade: Trade, *, leg: Leg, reason: CloseReason, blind: bool = False) -> bool:
    """Close what is ours; True when the fills show that nothing of it is left.

    False leaves the execution CLOSING or FLATTENING with its stop standing, to be taken up again soon. `blind`, for a
    fill of a moment ago, sends the first close before any question: the position is naked.
    """
    await _enter(trade, leg, reason)
    for round_number in range(_ROUNDS):
        try:
            amount = trade.execution.filled_amount if blind and not round_number else None
            if not await _close_once(trade, leg, amount=amount):
                return True
        except ExchangeError as error:
            logger.warning("close_interrupted", execution_id=trade.execution.id, detail=str(error))
        # A close without an answer may still be carried out: no second one before that is impossible.
        await trade.lease.outlast_unsure()
        if round_number:
            await asyncio.sleep(_PAUSE_S * round_number)
    return False


async def _enter(trade: Trade, leg: Leg, reason: CloseReason) -> None:
    execution, state = trade.execution, _CLOSING_STATE[leg]
    if execution.state in {state, ExecutionState.FLATTENING}:
        return
    try:
        if execution.state is ExecutionState.ENTERING:
            await trade.advance(ExecutionState.UNPROTECTED, filled_amount=execution.filled_amount)
        await trade.advance(
            state,
            close_reason=execution.close_reason or reason.value,
            filled_amount=execution.filled_amount,
        )
    except (PynamoDBException, RecordChanged):
        # A naked position is closed first and written down after.
        if leg is not Leg.FLATTEN:
            raise
        logger.exception("flattening_not_noted", execution_id=execution.id)


async def _close_once(trade: Trade, leg: Leg, *, amount: Decimal | None) -> bool:
    """Send one close for what is left of ours; False when nothing is. `amount` skips every question before it."""
    if amount is None:
        left = await left_of_ours(trade)
        if not left:
            return False
        # Standing reduce-only orders may make the exchange refuse the close; the stop is kept to the end.
        await cancel_orders(trade, keep_stops=True)
        amount = round_down(min(left, await trade.position()), trade.filters.step_size)
    if amount:
        await reduce(trade, leg, amount)
    return bool(await left_of_ours(trade))


async def reduce(trade: Trade, leg: Leg, amount: Decimal) -> None:
    """Send one reduce-only market order; what came of it is for the fills to tell."""
    planned = plan_close(leg=leg, entry_side=trade.execution.side, amount=amount)
    order = trade.intend(planned)
    await _note(trade, order, leg)
    try:
        await trade.place(planned, order, window_ms=_WINDOW_MS)
    except ExchangeRejected as error:
        # "Reduce only refused" is the race with a stop or a take-profit that has just filled: the fills tell.
        order.status, order.error = OrderStatus.REJECTED, str(error.code)
    except ExchangeError as error:
        order.error = type(error).__name__
        with contextlib.suppress(ExchangeError):
            await trade.look_up(order)
    await _note(trade, order, leg)


async def _note(trade: Trade, order: Order, leg: Leg) -> None:
    try:
        await trade.note(order)
    except PynamoDBException:
        if leg is not Leg.FLATTEN:
            raise
        logger.exception("flattening_not_noted", execution_id=trade.execution.id)


async def left_of_ours(trade: Trade) -> Decimal:
    """Return how much of ours is still open, by the exchange's fills."""
    seen = booking.reckon(trade, await trade.history())
    return (trade.execution.filled_amount or Decimal(0)) if seen is None else seen.open_amount


async def cancel_orders(trade: Trade, *, keep_stops: bool) -> None:
    """Cancel what stands of this execution's orders."""
    standing = [view for view in await trade.account.open_orders(trade.symbol) if _ours(trade.execution, view)]
    await _cancel(trade, [view for view in standing if not (keep_stops and _leg_of(view) in STOP_LEGS)])


async def cancel_leftovers(trade: Trade, standing: tuple[OrderView, ...]) -> tuple[OrderView, ...]:
    """Cancel what stands of any ended execution of ours; return the orders that are not ours, which are left alone."""
    await _cancel(trade, [view for view in standing if _leg_of(view) is not None])
    return tuple(view for view in standing if _leg_of(view) is None)


async def _cancel(trade: Trade, views: list[OrderView]) -> None:
    await asyncio.gather(*(trade.cancel(view) for view in views))
    known = [trade.orders[view.client_order_id] for view in views if view.client_order_id in trade.orders]
    for order in known:
        if order.status is not OrderStatus.FILLED:
            order.status = OrderStatus.CANCELLED
    await trade.note(*known)


def _leg_of(view: OrderView) -> Leg | None:
    ref = parse_client_order_id(view.client_order_id, prefix=settings().broker_prefix)
    return ref.leg if ref is not None else None


def _ours(execution: Execution, view: OrderView) -> bool:
    ref = parse_client_order_id(view.client_order_id, prefix=settings().broker_prefix)
    return ref is not None and ref.execution_id == execution.id
