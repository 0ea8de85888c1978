"""Getting out: take-profits cancelled, the position closed reduce-only, verified flat, the stop cancelled last.

Every step can be repeated after a crash. Closes at most what is ours, and only what the venue holds.
"""

from __future__ import annotations

import asyncio
from decimal import Decimal

from functions.order_executor.trade import Trade, due_in
from shared.config import settings
from shared.errors import ExchangeError, ExchangeRejected, OutcomeUnknown
from shared.exchange.views import OrderView
from shared.models.execution import Execution
from shared.models.order import OrderStatus
from shared.observability import logger
from shared.trading.execution import CloseReason, ExecutionState
from shared.trading.filters import round_down
from shared.trading.ids import STOP_LEGS, Leg, parse_client_order_id
from shared.trading.plan import plan_close

_ROUNDS = 6
_PAUSE_S = 0.2
_CLOSING_STATE = {Leg.CLOSE: ExecutionState.CLOSING, Leg.FLATTEN: ExecutionState.FLATTENING}


async def close(trade: Trade, *, leg: Leg, reason: CloseReason) -> bool:
    """Close the position and cancel what is left; True when the account is verified flat on the symbol.

    False leaves the execution CLOSING or FLATTENING with its stop standing: the watcher takes it up again.
    """
    state = _CLOSING_STATE[leg]
    await _enter(trade, state, reason)
    for round_number in range(_ROUNDS):
        try:
            if round_number or leg is Leg.CLOSE:
                # Standing reduce-only orders may make the exchange refuse the close; the stop is kept to the end.
                await cancel_orders(trade, keep_stops=True)
            if not await _reduce(trade, leg):
                await cancel_orders(trade, keep_stops=False)
                return True
        except ExchangeError as error:
            logger.warning("close_interrupted", execution_id=trade.execution.id, detail=str(error))
        await trade.hold()
        if round_number:
            await asyncio.sleep(_PAUSE_S * round_number)
    logger.error("close_not_finished", execution_id=trade.execution.id)
    await trade.advance(due_at=due_in(5))
    return False


async def _enter(trade: Trade, state: ExecutionState, reason: CloseReason) -> None:
    execution = trade.execution
    if execution.state in {state, ExecutionState.FLATTENING}:
        return
    await trade.advance(state, due_at=due_in(10), close_reason=execution.close_reason or reason.value)


async def _reduce(trade: Trade, leg: Leg) -> bool:
    """Send one reduce-only market order for what is left of ours; False when nothing is."""
    amount = await remaining(trade)
    if not amount:
        return False
    planned = plan_close(leg=leg, entry_side=trade.execution.side, amount=amount)
    order = trade.intend(planned)
    await trade.note(order)
    try:
        await trade.place(planned, order)
    except ExchangeRejected as error:
        # "Reduce only refused" is the race with a stop or a take-profit that has just filled: look again.
        order.status, order.error = OrderStatus.REJECTED, str(error.code)
    except OutcomeUnknown:
        await trade.look_up(order)
    finally:
        await trade.note(order)
    return True


async def remaining(trade: Trade) -> Decimal:
    """Return how much may be closed: the smaller of what is ours and what the venue holds on our side."""
    held = await trade.position()
    ours = trade.execution.filled_amount
    amount = held if ours is None else min(held, ours)
    return round_down(amount, trade.filters.step_size)


async def cancel_orders(trade: Trade, *, keep_stops: bool) -> list[OrderView]:
    """Cancel what stands of this execution's orders; return what stood."""
    standing = [view for view in await trade.account.open_orders(trade.symbol) if _ours(trade.execution, view)]
    doomed = [view for view in standing if not (keep_stops and _leg_of(view) in STOP_LEGS)]
    await _cancel(trade, doomed)
    return standing


async def cancel_leftovers(trade: Trade, standing: tuple[OrderView, ...]) -> tuple[OrderView, ...]:
    """Cancel what stands of any ended execution of ours; return the orders that are not ours, which are left alone."""
    ours = [view for view in standing if _leg_of(view) is not None]
    await _cancel(trade, ours)
    return tuple(view for view in standing if _leg_of(view) is None)


async def _cancel(trade: Trade, views: list[OrderView]) -> None:
    if not views:
        return
    await trade.hold()
    await asyncio.gather(*(trade.account.cancel(trade.symbol, view) for view in views))
    for view in views:
        order = trade.orders.get(view.client_order_id)
        if order is not None and order.status is not OrderStatus.FILLED:
            order.status = OrderStatus.CANCELLED
    await trade.note(*(trade.orders[v.client_order_id] for v in views if v.client_order_id in trade.orders))


def _leg_of(view: OrderView) -> Leg | None:
    ref = parse_client_order_id(view.client_order_id, prefix=settings().broker_prefix)
    return ref.leg if ref is not None else None


def _ours(execution: Execution, view: OrderView) -> bool:
    ref = parse_client_order_id(view.client_order_id, prefix=settings().broker_prefix)
    return ref is not None and ref.execution_id == execution.id
