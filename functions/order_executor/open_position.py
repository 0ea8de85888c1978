"""Reconciles an open position: what is left of ours, whether its stops stand, whether its targets fit.

The venue decides about positions, our records about what was intended. Repairs orders; the caller ends a position that
is flat, and closes one that cannot be protected.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum

from functions.order_executor import closing, position, protecting, targets
from functions.order_executor.session import ExecutionSession
from functions.order_executor.venue_orders import cancel, leg_of
from shared.errors import RecordChanged
from shared.exchange.venue_views import OrderView, VenueStatus
from shared.models.order import OrderStatus
from shared.models.position_slot import PositionSlot
from shared.observability import ATTENTION_NEEDED, count_outcome, logger
from shared.scheduling import due_by_next_run
from shared.trading.execution import ExecutionState
from shared.trading.filters import round_down
from shared.trading.ids import STOP_LEGS, Leg
from shared.trading.order_planning import OrderType, PlannedOrder


class Found(StrEnum):
    """The state of an open position."""

    GUARDED = "GUARDED"
    FLAT = "FLAT"
    """The venue reads flat, or the fills show that nothing of ours is left."""
    UNGUARDED = "UNGUARDED"
    """A stop is missing and could not be placed, so the position must be closed."""


@dataclass(frozen=True, slots=True)
class _Stops:
    """Planned stops that are missing, and ours that differ from the plan."""

    missing: tuple[PlannedOrder, ...]
    deviating: tuple[OrderView, ...]


async def reconcile_position(session: ExecutionSession) -> Found:
    """Compare an open position with the venue, and repair its orders."""
    held = await session.position()
    if not held:
        return Found.FLAT
    left = await _amount_left(session, held)
    if not left:
        return Found.FLAT
    # Read after the fills, so that a target that fills in between is not counted as surplus.
    standing = await session.account.open_orders(session.symbol)
    stops = await _judge_stops(session, standing, left=left, held=held)
    if stops.missing or stops.deviating:
        # The stop may have filled, and the owner may hold a position by now: read the fills before placing it again.
        left_now = await position.left_of_ours(session)
        if not left_now:
            return Found.FLAT
        if not await _repair_stops(session, stops, left=left_now):
            return Found.UNGUARDED
    if session.execution.state is ExecutionState.UNPROTECTED or stops.missing:
        await protecting.record_protected(session)
    exits = protecting.plan_for(session, _filled(session))
    await targets.fit_targets(session, exits, standing, left=left, beside=held > left)
    await _flatten_late_fill(session, left)
    await session.ledger.advance(
        slot=(PositionSlot.quantity.set(left),),
        due_at=due_by_next_run(),
        flat_since=None,
        seen_amount=held,
    )
    return Found.GUARDED


async def restore_stops(session: ExecutionSession) -> None:
    """Place the missing stops of a position that could not be closed."""
    held, left = await asyncio.gather(session.position(), position.left_of_ours(session))
    if held and left:
        standing = await session.account.open_orders(session.symbol)
        await _repair_stops(session, await _judge_stops(session, standing, left=left, held=held), left=left)


def _filled(session: ExecutionSession) -> Decimal:
    amount = session.execution.filled_amount
    if amount is None:
        raise RecordChanged("a position without its amount: reconcile again")
    return amount


async def _amount_left(session: ExecutionSession, held: Decimal) -> Decimal:
    """Return what is left of ours: the recorded amount while the venue's position is unchanged, else by the fills."""
    known = session.lease.slot.quantity
    once = len(session.ledger.of_leg(Leg.ENTRY)) == 1
    if once and known is not None and held == session.execution.seen_amount:
        return known
    return await position.left_of_ours(session)


async def _judge_stops(
    session: ExecutionSession, standing: Sequence[OrderView], *, left: Decimal, held: Decimal
) -> _Stops:
    missing, deviating = list[PlannedOrder](), list[OrderView]()
    ours = [view for view in standing if view.status.is_open and leg_of(session, view) in STOP_LEGS]
    for planned in _needed(session, left):
        of_leg = [view for view in ours if leg_of(session, view) is planned.leg]
        fitting = [view for view in of_leg if _fits(session, view, planned, left=left, beside=held > left)]
        limits = [view for view in of_leg if not view.conditional]
        kept = (fitting or limits)[:1]  # a triggered limit stop stands as a limit order
        if not kept and not await _stands_unlisted(session, planned, standing, left=left):
            missing.append(planned)
        deviating += [view for view in of_leg if view not in kept]
    return _Stops(tuple(missing), tuple(deviating))


def _needed(session: ExecutionSession, left: Decimal) -> tuple[PlannedOrder, ...]:
    """Return the planned stops, cut to what is left; the `closePosition` stop covers less than an order's minimum."""
    amount = round_down(left, session.filters.step_size)
    return tuple(
        stop if stop.amount is None else replace(stop, amount=min(stop.amount, amount))
        for stop in protecting.plan_for(session, _filled(session)).stops
        if stop.amount is None or amount >= session.filters.min_amount
    )


def _fits(
    session: ExecutionSession, view: OrderView, planned: PlannedOrder, *, left: Decimal, beside: bool = False
) -> bool:
    """Return whether a standing stop is as planned: its side, its prices, and an amount that covers all of ours.

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
    # A stop by amount, placed because the owner's own closes the position, cannot cover dust.
    need = planned.amount or round_down(left, session.filters.market_step_size)
    return view.remaining >= need and not (beside and view.remaining > need)


async def _stands_unlisted(
    session: ExecutionSession, planned: PlannedOrder, standing: Sequence[OrderView], *, left: Decimal
) -> bool:
    """Return whether a stop that the list of open orders lacks stands all the same: the list may be late."""
    known = session.ledger.of_leg(planned.leg)
    view = await session.look_up_twice(known[-1]) if known else None
    if view is None:
        return False
    if view.status.is_open:
        return _fits(session, view, planned, left=left)
    # A triggered limit stop may rest on the book behind a gap, and its backstop is still to come.
    triggered = view.status is VenueStatus.TRIGGERED and planned.type is OrderType.STOP
    return triggered and any(one.exchange_order_id == view.actual_order_id for one in standing if one.status.is_open)


async def _repair_stops(session: ExecutionSession, stops: _Stops, *, left: Decimal) -> bool:
    """Place missing stops and cancel deviating ones; return False when a missing one could not be placed.

    The exchange takes one `closePosition` stop per side, so a deviating one of that kind is cancelled first; every
    other only when the right one stands.
    """
    execution_id = session.execution.id
    first = [view for view in stops.deviating if view.close_position]
    if stops.missing:
        logger.error("stop_missing", execution_id=execution_id, legs=[stop.leg.value for stop in stops.missing])
        count_outcome("stop_missing")
    if first:
        await cancel(session, first)
    for view in stops.deviating:
        if view.client_order_id in session.ledger.orders:
            session.ledger.orders[
                view.client_order_id
            ].status = OrderStatus.CANCELLED  # so that its id is not used again
    if stops.missing:
        give_up_at_s = time.monotonic() + protecting.STOP_GIVE_UP_S
        legs = {stop.leg for stop in stops.missing}
        needed = [stop for stop in _needed(session, left) if stop.leg in legs]
        if not await protecting.place_stops(session, needed, amount=left, give_up_at_s=give_up_at_s):
            return False
    await cancel(session, [view for view in stops.deviating if not view.close_position])
    return True


async def _flatten_late_fill(session: ExecutionSession, left: Decimal) -> None:
    """Close the surplus when an entry that was proven absent, and sent once more, has filled after all."""
    surplus = left - _filled(session)
    if len(session.ledger.of_leg(Leg.ENTRY)) > 1 and surplus > 0:
        logger.error("entry_filled_twice", execution_id=session.execution.id)
        count_outcome(ATTENTION_NEEDED)
        await closing.reduce(session, Leg.FLATTEN, surplus)
