"""After the fill: the stop in the first request, then the take-profits. What cannot be protected is closed.

A refused take-profit or trailing leg is recorded and costs nothing; a refused stop costs the position.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from decimal import Decimal

from functions.order_executor.entering import Filled
from functions.order_executor.trade import Trade, due_in, learn
from shared.clock import to_ms, utc_now
from shared.errors import (
    ExchangeAuthorizationFailed,
    ExchangeError,
    ExchangeRejected,
    ExchangeUnavailable,
    OutcomeUnknown,
    StopWouldTrigger,
)
from shared.exchange import quirks
from shared.exchange.views import OrderView
from shared.models.order import Order, OrderStatus
from shared.models.position_slot import PositionSlot
from shared.observability import logger, measure_ms
from shared.trading.execution import ExecutionState
from shared.trading.ids import STOP_LEGS, TAKE_PROFIT_LEGS, Leg
from shared.trading.plan import ExitPlan, PlannedOrder, plan_exits

STOP_GIVE_UP_S = 3.0
"""From the fill: then the position is closed instead, so that it is never naked for more than five seconds."""
_RETRY_PAUSE_S = 0.15
WATCH_EVERY_S = 60.0
_BATCH_WINDOW_MS = 5_000
_TARGET_ATTEMPTS = 2


async def protect(trade: Trade, filled: Filled) -> bool:
    """Place the stop of a position that has just been filled, or found; False when it has to be closed instead."""
    exits = plan_for(trade, filled.amount)
    started_s = time.monotonic()
    stops, _ = await asyncio.gather(
        place_stops(trade, exits, give_up_at_s=started_s + STOP_GIVE_UP_S), _note_fill(trade, filled, exits)
    )
    if not stops:
        return False
    await asyncio.gather(note_protected(trade), place_targets(trade, exits))
    return True


def plan_for(trade: Trade, amount: Decimal) -> ExitPlan:
    """Return the exits of what has filled, which may be less than what was ordered."""
    execution = trade.execution
    return plan_exits(signal=execution.signal(), filters=trade.filters, amount=amount, entry_side=execution.side)


async def _note_fill(trade: Trade, filled: Filled, exits: ExitPlan) -> None:
    """Write the fill, and the targets that will be sent after the stop; runs beside the stop's request."""
    entry = trade.of_leg(Leg.ENTRY)[-1]
    view = filled.view
    if view.average is None:
        view = await trade.look_up(entry) or view
    learn(entry, view)
    targets = [trade.intend(target, attempt=1) for target in _targets(exits) if not trade.of_leg(target.leg)]
    await trade.advance(
        ExecutionState.UNPROTECTED if trade.execution.state is not ExecutionState.UNPROTECTED else None,
        orders=(entry, *targets),
        slot=(PositionSlot.quantity.set(filled.amount),),
        due_at=due_in(5),
        filled_amount=filled.amount,
        entry_price=view.average,
        entry_filled_at=trade.execution.entry_filled_at or view.updated_at,
    )


async def place_stops(trade: Trade, exits: ExitPlan, *, give_up_at_s: float) -> bool:
    """Place every stop leg, side by side; True once the position cannot be left without one.

    Repeats keep the client id, so that a late first request and its repeat cannot both stand.
    """
    placed = await asyncio.gather(*(_place_stop(trade, stop, give_up_at_s=give_up_at_s) for stop in exits.stops))
    # The limit stop may be missing: the closePosition order behind it covers the whole position.
    return all(stands for stop, stands in zip(exits.stops, placed, strict=True) if stop.close_position)


async def _place_stop(trade: Trade, planned: PlannedOrder, *, give_up_at_s: float) -> bool:
    known = trade.of_leg(planned.leg)
    order = known[-1] if known else trade.intend(planned)
    while True:
        try:
            await trade.place(planned, order)
        except StopWouldTrigger:
            order.status, order.error = OrderStatus.REJECTED, "EXCHANGE_2021"
            logger.warning("stop_would_trigger", execution_id=trade.execution.id)
            return False
        except ExchangeRejected as error:
            if error.code == quirks.CLOSE_POSITION_STANDS and await _stands(trade, order):
                return True
            order.error = str(error.code)
        except (OutcomeUnknown, ExchangeUnavailable, ExchangeAuthorizationFailed) as error:
            order.error = type(error).__name__
            if await _stands(trade, order):
                return True
        else:
            return True
        if time.monotonic() >= give_up_at_s:
            logger.error("stop_not_placed", execution_id=trade.execution.id, leg=planned.leg.value, detail=order.error)
            return False
        await asyncio.sleep(_RETRY_PAUSE_S)
        order.exchange_time_ms = None  # a new request with a window of its own, under the same id


async def _stands(trade: Trade, order: Order) -> bool:
    try:
        view = await trade.look_up(order)
    except ExchangeError:
        return False
    return view is not None and view.status.is_open


async def note_protected(trade: Trade) -> None:
    """Write that the stop stands, and how long the position was without one."""
    now = utc_now()
    execution = trade.execution
    filled_at = execution.entry_filled_at or now
    naked_ms = max(to_ms(now) - to_ms(filled_at), 0)
    await trade.advance(
        ExecutionState.PROTECTED,
        orders=trade.of_leg(*STOP_LEGS),
        due_at=due_in(WATCH_EVERY_S),
        protected_at=execution.protected_at or now,
        naked_ms=execution.naked_ms if execution.naked_ms is not None else naked_ms,
    )
    measure_ms("naked", naked_ms)
    logger.info("position_protected", execution_id=execution.id, trigger_id=execution.trigger_id, naked_ms=naked_ms)


def _targets(exits: ExitPlan) -> tuple[PlannedOrder, ...]:
    return (*exits.take_profits, exits.trailing) if exits.trailing is not None else exits.take_profits


async def place_targets(trade: Trade, exits: ExitPlan) -> None:
    """Place what is missing of take-profits and trailing stop. Their failure is recorded and never costs the stop."""
    pending = [
        (planned, order)
        for planned in _targets(exits)
        for order in trade.of_leg(planned.leg)[-1:] or [trade.intend(planned, attempt=1)]
        if order.status is OrderStatus.INTENDED
    ]
    limits = [pair for pair in pending if pair[0].leg in TAKE_PROFIT_LEGS]
    trailing = [pair for pair in pending if pair[0].leg is Leg.TRAILING]
    await asyncio.gather(_place_limits(trade, limits), *(_place_trailing(trade, *pair) for pair in trailing))
    await trade.note(*(order for _, order in pending))


async def _place_limits(trade: Trade, pairs: Sequence[tuple[PlannedOrder, Order]]) -> None:
    if not pairs:
        return
    for _ in range(_TARGET_ATTEMPTS):
        await _send_limits(trade, pairs)
        # What is neither standing nor refused never arrived. Should it arrive yet, its id is taken.
        pairs = [pair for pair in pairs if pair[1].status is OrderStatus.INTENDED]
        if not pairs:
            return


async def _send_limits(trade: Trade, pairs: Sequence[tuple[PlannedOrder, Order]]) -> None:
    await trade.hold()
    by_id = {order.client_order_id: order for _, order in pairs}
    for order in by_id.values():
        order.sent_at = utc_now()
    try:
        answers = await trade.account.place_batch(
            trade.symbol,
            [(order.client_order_id, planned) for planned, order in pairs],
            recv_window_ms=_BATCH_WINDOW_MS,
        )
    except ExchangeError as error:
        logger.warning("targets_unknown", execution_id=trade.execution.id, detail=str(error))
        await _adopt_standing(trade, by_id)
        return
    for answer in answers:
        order = by_id[answer.client_order_id]
        if answer.order is not None:
            learn(order, answer.order)
        elif answer.code not in quirks.DUPLICATE_CLIENT_ID:
            order.status, order.error = OrderStatus.REJECTED, str(answer.code)
            logger.warning("target_rejected", execution_id=trade.execution.id, leg=order.leg.value, code=answer.code)


async def _adopt_standing(trade: Trade, by_id: dict[str, Order]) -> None:
    """Learn which orders of a batch without an answer stand; the others stay intended and are sent again later."""
    try:
        standing = await trade.account.open_orders(trade.symbol)
    except ExchangeError:
        return
    for view in standing:
        if view.client_order_id in by_id:
            learn(by_id[view.client_order_id], view)


async def _place_trailing(trade: Trade, planned: PlannedOrder, order: Order) -> None:
    try:
        await trade.place(planned, order)
    except ExchangeRejected as error:
        order.status, order.error = OrderStatus.REJECTED, str(error.code)
        logger.warning("trailing_rejected", execution_id=trade.execution.id, code=error.code)
    except ExchangeError as error:
        # Stays intended: the watcher looks it up and sends it again.
        order.error = type(error).__name__


def stop_stands(standing: Sequence[OrderView], stops: Sequence[Order]) -> bool:
    """Tell whether the stop that covers the whole position is among the standing orders."""
    ids = {order.client_order_id for order in stops if order.close_position}
    return any(view.client_order_id in ids and view.status.is_open for view in standing)
