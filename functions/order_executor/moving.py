"""Moves the stop of an open position towards the market, once it is due; the old stop goes when the new one stands.

Where the stop is to stand is on record before anything is sent, so another worker goes on with a move that this one has
begun. A price that the market has passed is recorded, and the old stop stays.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import assert_never

from functions.order_executor import exit_plans, position, retargeting, stops
from functions.order_executor.session import ExecutionSession
from functions.order_executor.stops import Replaced, Stops
from shared.errors import ExchangeError
from shared.exchange.venue_views import OrderView
from shared.models.execution import ExecutionChanges
from shared.models.order import Order, OrderStatus
from shared.observability import count_outcome, logger
from shared.trading import stop_moves
from shared.trading.ids import STOP_LEGS, TAKE_PROFIT_LEGS, Leg
from shared.trading.order_planning import OrderType, closing_stop, favourable_price
from shared.trading.risk import BASE_TAKER_RATE
from shared.trading.signal import is_losing


async def move_if_due(
    session: ExecutionSession, found: Stops, standing: Sequence[OrderView], *, left: Decimal, held: Decimal
) -> None:
    """Move the stop where updates want it, or to break-even after its target; `found` is of this look."""
    if not _may_move(session):
        return
    if found.missing or found.deviating:
        session.stop_move_pending = True  # first the stops are in order, by a look of their own
        return
    try:
        level = await _level_ahead(session, await _due_levels(session, standing))
        if level is None:
            return
    except ExchangeError as error:
        logger.warning("stop_move_not_judged", execution_id=session.execution.id, detail=str(error))
        session.stop_move_pending = True
        return
    closing = closing_stop(Leg.STOP, side=session.execution.side.opposite, trigger_price=level)
    if not exit_plans.stop_by_amount(session, closing, left).amount:
        return  # nothing could hold the place of the old stop meanwhile
    await session.ledger.advance(stop_moved_to=level)
    await carry_on(session, await stops.judge_stops(session, standing, left=left, held=held), left=left)


def is_under_way(session: ExecutionSession, found: Stops, *, left: Decimal) -> bool:
    """Return whether the missing stops are those of a move, and another stop guards the position until they stand."""
    moved = session.execution.stop_moved_to is not None or any(
        order.stop_moved_to is not None for order in session.ledger.of_leg(*STOP_LEGS)
    )
    return moved and bool(found.missing) and bool(_guards(found, left=left))


async def carry_on(session: ExecutionSession, found: Stops, *, left: Decimal) -> None:
    """Put the stops where they are to stand; where they cannot, leave the one that guards the position."""
    level = session.execution.stop_moved_to
    outcome = await stops.replace_stops(session, found, left=left)
    match outcome:
        case Replaced.PLACED:
            await _record_move(session)
        case Replaced.KEPT:
            return
        case Replaced.NOT_PLACED if level is not None and _is_refused(session, found):
            await _go_back(session, found, level, left=left)
        case Replaced.NOT_PLACED | Replaced.HELD:
            logger.warning("stop_move_unfinished", execution_id=session.execution.id, outcome=outcome)
            session.stop_move_pending = True
        case _:
            assert_never(outcome)


# -- whether it is due -------------------------------------------------------------------------------------------------


def _may_move(session: ExecutionSession) -> bool:
    """Return whether the stop may still move nearer to the market; one that has triggered moves no more."""
    execution = session.execution
    if not session.filters_known or execution.dust_left:
        return False
    if any(order.actual_order_id is not None for order in session.ledger.of_leg(*STOP_LEGS)):
        return False
    wanted = _requested(session)
    if execution.breakeven_requested or execution.breakeven_after is not None:
        if execution.entry_price is None:
            return True
        wanted.append(_breakeven(session, execution.entry_price))
    return any(_is_nearer(session, level) for level in wanted)


def _requested(session: ExecutionSession) -> list[Decimal]:
    """Return the price that updates ask for, on the tick, if they do."""
    execution = session.execution
    if execution.stop_requested is None:
        return []
    return [favourable_price(execution.stop_requested, entry_side=execution.side, filters=session.filters)]


async def _due_levels(session: ExecutionSession, standing: Sequence[OrderView]) -> list[Decimal]:
    """Return the prices that the stop is to move to now, the nearest to the market first."""
    execution, levels = session.execution, _requested(session)
    if execution.breakeven_requested or await _target_has_filled(session, standing):
        entry_price = execution.entry_price or await _read_entry_price(session)
        levels += [] if entry_price is None else [_breakeven(session, entry_price)]
    nearer = [level for level in levels if _is_nearer(session, level)]
    return sorted(nearer, key=lambda level: level * execution.side.sign, reverse=True)


async def _read_entry_price(session: ExecutionSession) -> Decimal | None:
    """Return the entry's price by its fills, because no answer of the exchange has shown it."""
    await session.read_fills()
    booked = position.position_from_fills(session)
    session.stop_move_pending |= booked is None
    return None if booked is None else booked.entry_price


def _breakeven(session: ExecutionSession, entry_price: Decimal) -> Decimal:
    execution = session.execution
    # A record of before there were rates has none.
    rate = execution.taker_rate or BASE_TAKER_RATE
    return stop_moves.breakeven_price(
        side=execution.side, entry_price=entry_price, taker_rate=rate, filters=session.filters
    )


def _is_nearer(session: ExecutionSession, level: Decimal) -> bool:
    """Return whether the price is nearer to the market than the present stop's trigger."""
    present = exit_plans.plan_for(session, stops.filled_amount(session)).stops[0].trigger_price
    return present is None or stop_moves.is_nearer(level, than=present, side=session.execution.side)


async def _target_has_filled(session: ExecutionSession, standing: Sequence[OrderView]) -> bool:
    """Return whether the take-profit that the stop waits for has filled, or one beyond it."""
    execution = session.execution
    if execution.breakeven_after is None:
        return False
    await _look_up_ended(session, session.ledger.of_leg(*TAKE_PROFIT_LEGS), standing)
    number = execution.breakeven_after - retargeting.filled_before(session)
    if number <= 0:
        return True
    planned = exit_plans.plan_for(session, stops.filled_amount(session)).take_profits
    awaited = stop_moves.awaited_target(
        number,
        side=execution.side,
        targets=execution.take_profits,
        placed=[target.price for target in planned if target.price is not None],
        filters=session.filters,
    )
    if awaited is None:
        return False
    targets = session.ledger.of_leg(*TAKE_PROFIT_LEGS[awaited:])
    return any(o.status is OrderStatus.FILLED and not retargeting.is_of_earlier_list(session, o) for o in targets)


async def _look_up_ended(session: ExecutionSession, targets: Sequence[Order], standing: Sequence[OrderView]) -> None:
    """Ask for the take-profits that have stood and are not listed any more: they have filled, or were cancelled."""
    listed = {view.client_order_id for view in standing}
    ended = [o for o in targets if o.status is OrderStatus.OPEN and o.client_order_id not in listed]
    for order in ended:
        await session.look_up(order)
    await session.ledger.save_orders(*ended)


async def _level_ahead(session: ExecutionSession, levels: Sequence[Decimal]) -> Decimal | None:
    """Return the first of some prices that the market has not passed, and record those that it has."""
    if not levels:
        return None
    price = await session.account.recent_price(session.symbol)
    ahead = [level for level in levels if is_losing(session.execution.side, price=level, reference=price)]
    for level in levels:
        changes = _without(session, level)
        if level not in ahead and changes:
            await session.ledger.advance(detail=_passed(level), **changes)
            count_outcome("stop_move_refused")
    return ahead[0] if ahead else None


def _without(session: ExecutionSession, level: Decimal) -> ExecutionChanges:
    """Return what records that the market has passed a price; nothing if that is on record.

    A price that an update asked for is given up. Break-even is tried again once the market is back.
    """
    execution, changes = session.execution, ExecutionChanges()
    if level in _requested(session):
        changes["stop_requested"] = None
    elif execution.breakeven_passed != level:
        changes["breakeven_passed"] = level
    return changes


# -- the move ----------------------------------------------------------------------------------------------------------


def _guards(found: Stops, *, left: Decimal) -> list[OrderView]:
    """Return the standing stops, other than the planned ones, that close all of ours at any price."""
    at_market = [view for view in found.deviating if view.type == OrderType.STOP_MARKET.value]
    return [view for view in at_market if view.close_position or view.remaining >= left]


async def _record_move(session: ExecutionSession) -> None:
    execution, moved_to = session.execution, session.execution.stop_moved_to
    passed = execution.breakeven_passed
    is_there = passed is not None and moved_to is not None and not _is_nearer(session, passed)
    await session.ledger.advance(
        orders=session.ledger.of_leg(*STOP_LEGS),
        breakeven_passed=None if is_there else passed,
        detail=None if moved_to is None else f"stop moved to {moved_to:f}",
    )
    count_outcome("stop_moved")
    logger.info("stop_moved", execution_id=execution.id, trigger_id=execution.trigger_id, price=str(moved_to))


def _is_refused(session: ExecutionSession, found: Stops) -> bool:
    """Return whether the exchange has refused one of the moved stops for good."""
    latest = [session.ledger.of_leg(stop.leg)[-1:] for stop in found.missing]
    return any(order.status is OrderStatus.REJECTED for orders in latest for order in orders)


async def _go_back(session: ExecutionSession, found: Stops, level: Decimal, *, left: Decimal) -> None:
    """Record that the stop stays where it stands, and cancel what stands of the move."""
    moved = [order for order in session.ledger.of_leg(*STOP_LEGS) if order.stop_moved_to == level]
    old = [session.ledger.orders.get(view.client_order_id) for view in _guards(found, left=left)]
    before = [order.stop_moved_to for order in old if order is not None and order.stop_moved_to != level]
    if not before:
        session.stop_move_pending = True  # only a stop at the same price guards it: it triggers where this one would
        return
    changes = _without(session, level)
    changes["stop_moved_to"] = before[-1]
    await session.ledger.advance(orders=moved, detail=_passed(level), **changes)
    count_outcome("stop_move_refused")
    logger.warning("stop_move_refused", execution_id=session.execution.id, price=str(level))
    for order in moved:
        if order.status not in {OrderStatus.REJECTED, OrderStatus.CANCELLED}:
            await stops.cancel_if_seen(session, order)


def _passed(level: Decimal) -> str:
    return f"stop not moved to {level:f}: the market has passed it"
