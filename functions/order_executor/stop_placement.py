"""Places the stops of a position: each repeatedly, under one client id, until it stands or repeating is of no use."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from decimal import Decimal

from pynamodb.exceptions import PynamoDBException

from functions.order_executor import exit_plans
from functions.order_executor.refitting import instead_of
from functions.order_executor.session import ExecutionSession
from shared.errors import ExchangeError, ExchangeRejected, ExchangeThrottled, StopWouldTrigger
from shared.exchange import error_codes
from shared.exchange.futures import LOOK_UP_TIMEOUT_S, ORDER_TIMEOUT_S
from shared.exchange.venue_views import VenueStatus
from shared.models.order import Order, OrderStatus
from shared.observability import ATTENTION_NEEDED, count_outcome, logger
from shared.trading.execution import exchange_reason
from shared.trading.order_planning import PlannedOrder

STOP_GIVE_UP_S = 3.0
"""Seconds from the fill until the position is closed instead, so that it is naked for five seconds at most."""
_RETRY_PAUSE_S = 0.15
_THROTTLED_PAUSE_S = 1.0
_REFUSED_FOR_NOW = (
    frozenset({error_codes.CLOSE_POSITION_EXISTS}) | error_codes.POSITION_NOT_SEEN | error_codes.DUPLICATE_CLIENT_ID
)
"""What may be sent again as it is: another order stands in the way, or the exchange's books are late."""
_ENDED = frozenset({OrderStatus.CANCELLED, OrderStatus.FILLED})
_WORKING = frozenset({VenueStatus.OPEN, VenueStatus.PARTIALLY_FILLED, VenueStatus.TRIGGERED})


async def place_stops(
    session: ExecutionSession, stops: Sequence[PlannedOrder], *, amount: Decimal, give_up_at_s: float
) -> bool:
    """Place the stop legs of a position of `amount` side by side; return whether all of them stand.

    Repeats keep the client id, so that a late first request and its repeat cannot both stand.
    """
    legs = [asyncio.create_task(_place_stop(session, stop, amount=amount, give_up_at_s=give_up_at_s)) for stop in stops]
    try:
        for leg in asyncio.as_completed(legs):
            if not await leg:
                return False  # close the position now, without waiting for the others
    finally:
        for leg in legs:
            leg.cancel()
        await asyncio.gather(*legs, return_exceptions=True)
    return True


async def _place_stop(
    session: ExecutionSession, planned: PlannedOrder, *, amount: Decimal, give_up_at_s: float
) -> bool:
    """Place one stop leg, repeatedly under one client id, until it stands, time is up, or repeating is of no use.

    A stop that the filters refuse is placed as they allow it; one that is refused for good is not sent again.
    """
    order = await _order_for(session, planned)
    while (left_s := give_up_at_s - time.monotonic()) > 0:
        sent_with, sent_at_s = session.filters, time.monotonic()
        try:
            await session.place(planned, order, timeout_s=min(ORDER_TIMEOUT_S, left_s))
        except StopWouldTrigger as error:
            order.status, order.error = OrderStatus.REJECTED, exchange_reason(error.code)
            logger.warning("stop_would_trigger", execution_id=session.execution.id, leg=planned.leg.value)
            return False
        except ExchangeThrottled as error:
            order.error = type(error).__name__
            await asyncio.sleep(_THROTTLED_PAUSE_S)  # faster requests prolong a ban
        except ExchangeError as error:
            repeated = error.code is not None and order.error == str(error.code)
            order.error = type(error).__name__ if error.code is None else str(error.code)
            if _may_stand(error) and await _is_standing(session, order, give_up_at_s=give_up_at_s):
                return True
            if isinstance(error, ExchangeRejected) and error.code not in _REFUSED_FOR_NOW:
                fitted = await instead_of(
                    session, planned, error, sent_with=sent_with, sent_at_s=sent_at_s, until_s=give_up_at_s
                )
                if fitted is None:
                    order.status = OrderStatus.REJECTED
                    break
                planned = fitted
                exit_plans.copy_plan(order, planned)
                await _record(session, order)
                continue
            if repeated and error.code == error_codes.CLOSE_POSITION_EXISTS and planned.close_position:
                planned, order = await _stop_by_amount(session, planned, order, amount)
        else:
            return True
        await asyncio.sleep(_RETRY_PAUSE_S)
    logger.error("stop_not_placed", execution_id=session.execution.id, leg=planned.leg.value, detail=order.error)
    count_outcome(ATTENTION_NEEDED)
    return False


def _may_stand(error: ExchangeError) -> bool:
    return not isinstance(error, ExchangeRejected) or error.code == error_codes.CLOSE_POSITION_EXISTS


async def _order_for(session: ExecutionSession, planned: PlannedOrder) -> Order:
    """Return the record whose client id the stop is sent under: a new one when the last order has ended."""
    known = session.ledger.of_leg(planned.leg)
    of_level = bool(known) and known[-1].stop_moved_to == session.execution.stop_moved_to
    if of_level and known[-1].status not in _ENDED and known[-1].actual_order_id is None:
        exit_plans.copy_plan(known[-1], planned)
        return known[-1]
    order = session.ledger.intend(planned)
    await _record(session, order)
    return order


async def _record(session: ExecutionSession, order: Order) -> None:
    """Write a stop's record before it is sent; without the write it is sent all the same."""
    try:
        await session.ledger.save_orders(order)
    except PynamoDBException:
        logger.exception("stop_not_recorded", execution_id=session.execution.id)


async def _stop_by_amount(
    session: ExecutionSession, planned: PlannedOrder, refused: Order, amount: Decimal
) -> tuple[PlannedOrder, Order]:
    """Return a stop for the amount: the owner's `closePosition` stop stands, and the exchange takes one per side."""
    by_amount = exit_plans.stop_by_amount(session, planned, amount)
    if not by_amount.amount:
        return planned, refused
    logger.warning("stop_of_the_owner_stands", execution_id=session.execution.id)
    refused.status = OrderStatus.REJECTED
    order = session.ledger.intend(by_amount)
    await _record(session, order)
    return by_amount, order


async def _is_standing(session: ExecutionSession, order: Order, *, give_up_at_s: float) -> bool:
    left_s = give_up_at_s - time.monotonic()
    if left_s <= 0:
        return False
    try:
        view = await session.look_up(order, timeout_s=min(LOOK_UP_TIMEOUT_S, left_s))
    except ExchangeError:
        return False
    return view is not None and view.status in _WORKING
