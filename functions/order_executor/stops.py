"""Judges the standing stops of a position by their records, and repairs them; the position has one at every moment."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum

from functions.order_executor import exit_plans, stop_placement
from functions.order_executor.session import ExecutionSession
from functions.order_executor.venue_orders import adopt_unrecorded, cancel, leg_of
from shared.errors import RecordChanged
from shared.exchange.venue_views import OrderView, VenueStatus
from shared.models.order import Order, OrderStatus
from shared.observability import count_outcome, logger
from shared.trading.filters import round_down
from shared.trading.ids import STOP_LEGS
from shared.trading.order_planning import OrderType, PlannedOrder


@dataclass(frozen=True, slots=True)
class Stops:
    """Planned stops that are missing, and ours that differ from the plan."""

    missing: tuple[PlannedOrder, ...]
    deviating: tuple[OrderView, ...]


class Replaced(StrEnum):
    """What became of stops that were to take the place of others."""

    PLACED = "PLACED"
    KEPT = "KEPT"
    """Too little is left for a stop that holds the place, so the one that stands goes on guarding."""
    NOT_PLACED = "NOT_PLACED"
    """One could not be placed, and none was cancelled for it."""
    HELD = "HELD"
    """A stop by amount holds the place of the one that closes the position, which could not be placed."""


async def judge_stops(
    session: ExecutionSession, standing: Sequence[OrderView], *, left: Decimal, held: Decimal
) -> Stops:
    """Compare the standing stops with those on record, for what is left of a position of `held` at the venue."""
    missing, deviating = list[PlannedOrder](), list[OrderView]()
    ours = [view for view in standing if view.status.is_open and leg_of(session, view) in STOP_LEGS]
    await adopt_unrecorded(session, ours, STOP_LEGS)
    yields = _owner_closes_position(session, standing)
    session.stop_unlisted = False
    for planned in _needed(session, left):
        of_leg = [view for view in ours if leg_of(session, view) is planned.leg]
        fitting = [view for view in of_leg if _fits(session, view, planned, left=left, beside=held > left)]
        same_kind = [view for view in fitting if view.close_position == planned.close_position]
        limits = [view for view in of_leg if not view.conditional]
        # By amount, a stop stands in for one that closes the position only while the owner's own leaves no place.
        kept = (same_kind or (fitting if yields else []) or limits)[:1]  # a triggered limit stop is a limit order
        session.stop_unlisted |= not kept
        if not kept and not await _stands_unlisted(session, planned, standing, left=left, yields=yields):
            missing.append(planned)
        deviating += [view for view in of_leg if view not in kept]
    return Stops(tuple(missing), tuple(deviating))


def _owner_closes_position(session: ExecutionSession, standing: Sequence[OrderView]) -> bool:
    """Return whether an order that is not ours closes the position: the exchange takes one on a side."""
    side = session.execution.side.opposite
    return any(
        view.close_position and view.side is side and view.status.is_open and leg_of(session, view) is None
        for view in standing
    )


def _needed(session: ExecutionSession, left: Decimal) -> tuple[PlannedOrder, ...]:
    """Return the stops on record, cut to what is left; the `closePosition` stop covers less than an order's minimum."""
    amount = round_down(left, session.filters.step_size)
    return tuple(
        stop if stop.amount is None else replace(stop, amount=min(stop.amount, amount))
        for stop in exit_plans.plan_for(session, filled_amount(session)).stops
        if stop.amount is None or amount >= session.filters.min_amount
    )


def _fits(
    session: ExecutionSession, view: OrderView, planned: PlannedOrder, *, left: Decimal, beside: bool = False
) -> bool:
    """Return whether a standing stop is as recorded: its side, its prices, and an amount that covers all of ours.

    Where the owner holds something `beside` ours, it may not be for more. A missing price counts as right.
    """
    same = (
        view.side is planned.side
        and view.type == planned.type.value
        and view.trigger_price in {None, planned.trigger_price}
        and view.price in {None, planned.price}
    )
    if not same or view.close_position:
        return same and planned.close_position
    # A stop by amount cannot cover dust.
    need = planned.amount or round_down(left, session.filters.market_step_size)
    return view.remaining >= need and not (beside and view.remaining > left)


async def _stands_unlisted(
    session: ExecutionSession, planned: PlannedOrder, standing: Sequence[OrderView], *, left: Decimal, yields: bool
) -> bool:
    """Return whether a stop that the list of open orders lacks stands all the same: the list may be late."""
    known = session.ledger.of_leg(planned.leg)
    view = await session.look_up_twice(known[-1]) if known else None
    if view is None:
        return False
    if view.status.is_open:
        return (yields or view.close_position == planned.close_position) and _fits(session, view, planned, left=left)
    # A triggered limit stop may rest on the book behind a gap, and its backstop is still to come.
    triggered = view.status is VenueStatus.TRIGGERED and planned.type is OrderType.STOP
    return triggered and any(one.exchange_order_id == view.actual_order_id for one in standing if one.status.is_open)


async def repair_stops(session: ExecutionSession, stops: Stops, *, left: Decimal) -> bool:
    """Place missing stops, then cancel deviating ones; return False when a missing one could not be placed."""
    if stops.missing:
        logger.error("stop_missing", execution_id=session.execution.id, legs=[stop.leg.value for stop in stops.missing])
        count_outcome("stop_missing")
    return await replace_stops(session, stops, left=left) in {Replaced.PLACED, Replaced.KEPT}


async def replace_stops(session: ExecutionSession, stops: Stops, *, left: Decimal) -> Replaced:
    """Place missing stops, then cancel deviating ones.

    Nothing is cancelled before what replaces it stands. The exchange takes one `closePosition` stop on a side, so where
    one must make way for another, a stop by amount holds its place meanwhile.
    """
    give_up_at_s = time.monotonic() + stop_placement.STOP_GIVE_UP_S
    legs = {stop.leg for stop in stops.missing}
    needed = [stop for stop in _needed(session, left) if stop.leg in legs]
    replacing = next((stop for stop in needed if stop.close_position), None)
    in_the_way = [view for view in stops.deviating if view.close_position and replacing is not None]
    holder = _holder_to_place(session, replacing, stops, left=left) if replacing is not None and in_the_way else None
    if holder is not None and not holder.amount:
        logger.warning("stop_not_replaced", execution_id=session.execution.id, left=str(left))
        return Replaced.KEPT
    before = _take_ids_out_of_use(session, [view.client_order_id for view in stops.deviating])
    first = [stop for stop in needed if not (in_the_way and stop.close_position)]
    first += [holder] if holder is not None else []
    if first and not await stop_placement.place_stops(session, first, amount=left, give_up_at_s=give_up_at_s):
        for order, status in before:
            order.status = status  # it stands as before
        return Replaced.NOT_PLACED
    held = session.ledger.of_leg(holder.leg)[-1] if holder is not None else None
    if held is not None:
        _take_ids_out_of_use(session, [held.client_order_id])
    await cancel(session, in_the_way)
    if in_the_way and replacing is not None:
        give_up_at_s = time.monotonic() + stop_placement.STOP_GIVE_UP_S
        if not await stop_placement.place_stops(session, [replacing], amount=left, give_up_at_s=give_up_at_s):
            return Replaced.HELD
    await cancel(session, [view for view in stops.deviating if view not in in_the_way])
    if held is not None:
        await cancel_if_seen(session, held)
    return Replaced.PLACED


def _holder_to_place(
    session: ExecutionSession, replacing: PlannedOrder, stops: Stops, *, left: Decimal
) -> PlannedOrder | None:
    """Return the stop by amount that holds the place of a `closePosition` one; None if one stands already."""
    by_amount = [view for view in stops.deviating if not view.close_position]
    if any(_fits(session, view, replacing, left=left) for view in by_amount):
        return None
    return exit_plans.stop_by_amount(session, replacing, left)


def _take_ids_out_of_use(session: ExecutionSession, client_order_ids: Iterable[str]) -> list[tuple[Order, OrderStatus]]:
    """Have the next stop of a leg sent under a new client id: orders with these still stand, and will be cancelled.

    Return their records with the status that each had.
    """
    orders = [session.ledger.orders[one] for one in client_order_ids if one in session.ledger.orders]
    before = [(order, order.status) for order in orders]
    for order in orders:
        order.status = OrderStatus.CANCELLED
    return before


async def cancel_if_seen(session: ExecutionSession, order: Order) -> None:
    """Cancel a stop that may stand beside the right ones; one that is not seen yet, the next reconciliation cancels."""
    view = await session.look_up(order)
    if view is None:
        session.unseen_orders.append(order)
    elif view.status.is_open:
        await cancel(session, [view])


def filled_amount(session: ExecutionSession) -> Decimal:
    """Return the amount that the entry filled."""
    amount = session.execution.filled_amount
    if amount is None:
        raise RecordChanged("a position without its amount: reconcile again")
    return amount
