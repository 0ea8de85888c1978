"""After the fill: the stop in the first request, then the take-profits. What cannot be protected is closed.

A refused take-profit or trailing leg is recorded and costs nothing; a refused stop costs the position.
"""

from __future__ import annotations

import asyncio
import contextlib
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
    ExchangeThrottled,
    ExchangeUnavailable,
    LeaseLost,
    OutcomeUnknown,
    StopWouldTrigger,
)
from shared.exchange import quirks
from shared.exchange.futures import LOOK_UP_TIMEOUT_S, ORDER_TIMEOUT_S, is_conditional
from shared.exchange.views import VenueStatus
from shared.models.order import Order, OrderStatus
from shared.models.position_slot import PositionSlot
from shared.observability import count_outcome, logger, measure_ms
from shared.trading.execution import ExecutionState
from shared.trading.ids import STOP_LEGS, TAKE_PROFIT_LEGS, Leg
from shared.trading.plan import ExitPlan, PlannedOrder, plan_exits

STOP_GIVE_UP_S = 3.0
"""From the fill: then the position is closed instead, so that it is never naked for more than five seconds."""
_RETRY_PAUSE_S = 0.15
_THROTTLED_PAUSE_S = 1.0
ATTENTION = "attention_needed"
"""The metric that wakes somebody up: a position that we could not handle as promised."""
WATCH_EVERY_S = 60.0
_TARGET_ATTEMPTS = 2
_WORKING = frozenset({VenueStatus.OPEN, VenueStatus.PARTIALLY_FILLED, VenueStatus.TRIGGERED})


async def protect(trade: Trade, filled: Filled, *, left: Decimal | None = None) -> bool:
    """Place the stop of a position that has just been filled, or found; False when it has to be closed instead.

    `left` is what is still open of a position that is found, when that is less. Our own records are written beside the
    stop's request and never decide about it: an error of theirs is raised only when the stop stands.
    """
    exits = plan_for(trade, left or filled.amount)
    trade.execution.filled_amount = filled.amount  # known from here on, written or not
    give_up_at_s = time.monotonic() + STOP_GIVE_UP_S
    placed, noted = await asyncio.gather(
        place_stops(trade, exits, give_up_at_s=give_up_at_s),
        note_fill(trade, filled, exits),
        return_exceptions=True,
    )
    for outcome in (placed, noted):
        if isinstance(outcome, LeaseLost | asyncio.CancelledError):
            raise outcome
    if isinstance(placed, BaseException):
        logger.error("stop_failed", execution_id=trade.execution.id, detail=type(placed).__name__)
        return False
    if not placed:
        return False
    if isinstance(noted, BaseException):
        await note_fill(trade, filled, exits)  # once more, now that there is time
    outcomes = await asyncio.gather(note_protected(trade), place_targets(trade, exits), return_exceptions=True)
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            raise outcome
    return True


def plan_for(trade: Trade, amount: Decimal) -> ExitPlan:
    """Return the exits of what has filled, which may be less than what was ordered."""
    execution = trade.execution
    return plan_exits(signal=execution.signal(), filters=trade.filters, amount=amount, entry_side=execution.side)


async def note_fill(trade: Trade, filled: Filled, exits: ExitPlan) -> None:
    """Write the fill, and the targets that will be sent after the stop; runs beside the stop's request."""
    entry = trade.of_leg(Leg.ENTRY)[-1]
    view = filled.view
    if view.average is None:
        # A create-order reply may carry no average price: ask for the order. The fills will tell in any case.
        with contextlib.suppress(ExchangeError):
            view = await trade.look_up(entry) or view
    learn(entry, view)
    targets = [trade.intend(target, attempt=1) for target in _targets(exits) if not trade.of_leg(target.leg)]
    known = trade.execution.state in {ExecutionState.UNPROTECTED, ExecutionState.PROTECTED}
    await trade.advance(
        None if known else ExecutionState.UNPROTECTED,
        orders=(entry, *targets),
        slot=(PositionSlot.quantity.set(filled.amount),),
        filled_amount=filled.amount,
        entry_price=view.average,
        entry_filled_at=trade.execution.entry_filled_at or view.updated_at,
    )


async def place_stops(trade: Trade, exits: ExitPlan, *, give_up_at_s: float) -> bool:
    """Place every stop leg, side by side; True once the position cannot be left without one.

    Repeats keep the client id, so that a late first request and its repeat cannot both stand.
    """
    legs = [asyncio.create_task(_place_stop(trade, stop, give_up_at_s=give_up_at_s)) for stop in exits.stops]
    try:
        for leg in asyncio.as_completed(legs):
            if not await leg:
                return False  # the others are not waited for: the position is closed now
    finally:
        for leg in legs:
            leg.cancel()
        await asyncio.gather(*legs, return_exceptions=True)
    return True


async def _place_stop(trade: Trade, planned: PlannedOrder, *, give_up_at_s: float) -> bool:
    """Place one stop leg, again and again under one client id, until it stands or time is up."""
    known = trade.of_leg(planned.leg)
    order = known[-1] if known else trade.intend(planned)
    _redraw(order, planned)
    while (left_s := give_up_at_s - time.monotonic()) > 0:
        try:
            await trade.place(planned, order, timeout_s=min(ORDER_TIMEOUT_S, left_s))
        except StopWouldTrigger:
            order.status, order.error = OrderStatus.REJECTED, "EXCHANGE_2021"
            logger.warning("stop_would_trigger", execution_id=trade.execution.id, leg=planned.leg.value)
            return False
        except ExchangeRejected as error:
            if error.code == quirks.CLOSE_POSITION_STANDS and await _stands(trade, order, give_up_at_s=give_up_at_s):
                return True
            order.error = str(error.code)
        except ExchangeThrottled as error:
            order.error = type(error).__name__
            await asyncio.sleep(_THROTTLED_PAUSE_S)  # asking faster makes a ban longer
        except (OutcomeUnknown, ExchangeUnavailable, ExchangeAuthorizationFailed) as error:
            order.error = type(error).__name__
            if await _stands(trade, order, give_up_at_s=give_up_at_s):
                return True
        else:
            return True
        await asyncio.sleep(_RETRY_PAUSE_S)
    logger.error("stop_not_placed", execution_id=trade.execution.id, leg=planned.leg.value, detail=order.error)
    count_outcome(ATTENTION)
    return False


def _redraw(order: Order, planned: PlannedOrder) -> None:
    """Let a stop's record say what is sent: a small fill, or a renewed stop, may change what was planned first."""
    order.type, order.amount, order.price = planned.type, planned.amount, planned.price
    order.trigger_price, order.close_position = planned.trigger_price, planned.close_position
    order.reduce_only, order.conditional = planned.reduce_only, is_conditional(planned.type)
    order.status, order.error = OrderStatus.INTENDED, None


async def _stands(trade: Trade, order: Order, *, give_up_at_s: float) -> bool:
    left_s = give_up_at_s - time.monotonic()
    if left_s <= 0:
        return False
    try:
        view = await trade.look_up(order, timeout_s=min(LOOK_UP_TIMEOUT_S, left_s))
    except ExchangeError:
        return False
    return view is not None and view.status in _WORKING


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
    for _ in range(_TARGET_ATTEMPTS):
        pairs = await _never_arrived(trade, pairs)
        if not pairs:
            return
        await _send_limits(trade, pairs)


async def _never_arrived(trade: Trade, pairs: Sequence[tuple[PlannedOrder, Order]]) -> list[tuple[PlannedOrder, Order]]:
    """Return the orders that the exchange does not know. One that was sent may have filled: its id is looked up first,
    because after a fill the exchange would take the same id again.
    """
    sent = [order for _, order in pairs if order.status is OrderStatus.INTENDED and order.sent_at is not None]
    try:
        await asyncio.gather(*(trade.look_up(order) for order in sent))
    except ExchangeError:
        return []  # not known now: the watcher looks again
    return [pair for pair in pairs if pair[1].status is OrderStatus.INTENDED]


async def _send_limits(trade: Trade, pairs: Sequence[tuple[PlannedOrder, Order]]) -> None:
    by_id = {order.client_order_id: order for _, order in pairs}
    batch = [(order.client_order_id, planned) for planned, order in pairs]
    for order in by_id.values():
        order.sent_at = utc_now()
    try:
        answers = await trade.send(lambda stamp: trade.account.place_batch(trade.symbol, batch, stamp=stamp))
    except ExchangeError as error:
        logger.warning("targets_unknown", execution_id=trade.execution.id, detail=str(error))
        return
    for answer in answers:
        order = by_id[answer.client_order_id]
        if answer.order is not None:
            learn(order, answer.order)
        elif answer.code not in quirks.DUPLICATE_CLIENT_ID:
            order.status, order.error = OrderStatus.REJECTED, str(answer.code)
            logger.warning("target_rejected", execution_id=trade.execution.id, leg=order.leg.value, code=answer.code)


async def _place_trailing(trade: Trade, planned: PlannedOrder, order: Order) -> None:
    if not await _never_arrived(trade, [(planned, order)]):
        return
    try:
        await trade.place(planned, order)
    except ExchangeRejected as error:
        order.status, order.error = OrderStatus.REJECTED, str(error.code)
        logger.warning("trailing_rejected", execution_id=trade.execution.id, code=error.code)
    except ExchangeError as error:
        # Stays intended: the watcher looks it up and sends it again.
        order.error = type(error).__name__


async def stops_stand(trade: Trade, exits: ExitPlan) -> bool:
    """Tell whether every planned stop is there; a limit stop may have triggered, with its backstop still behind it."""
    standing = {view.client_order_id for view in await trade.account.open_orders(trade.symbol) if view.status.is_open}
    for planned in exits.stops:
        known = trade.of_leg(planned.leg)
        if known and known[-1].client_order_id in standing:
            continue
        view = await trade.look_up(known[-1]) if known and not planned.close_position else None
        if view is None or view.status not in _WORKING:
            return False
    return True
