"""Looks at an open position: is it still there, how much of it is ours, do its stops stand, are its targets too many.

The venue is the truth for positions, ours for intent. Finds and mends orders; what is over, or cannot be protected, is
said to the caller, who ends or closes it.
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
from shared.observability import count_outcome, logger
from shared.scheduling import due_by_next_run
from shared.trading.execution import ExecutionState
from shared.trading.filters import round_down
from shared.trading.ids import STOP_LEGS, Leg
from shared.trading.order_planning import OrderType, PlannedOrder

_LOOK_UPS = 2
_LOOK_UP_PAUSE_S = 0.25


class Found(StrEnum):
    """What a look has found."""

    GUARDED = "GUARDED"
    FLAT = "FLAT"
    """The venue reads flat, or the fills show that nothing of ours is left."""
    UNGUARDED = "UNGUARDED"
    """Its stop is missing and could not be placed: it must be closed."""


@dataclass(frozen=True, slots=True)
class _Stops:
    """What of the planned stops does not stand, and what stands of ours that is not as planned."""

    missing: tuple[PlannedOrder, ...]
    wrong: tuple[OrderView, ...]


async def look(session: ExecutionSession) -> Found:
    """Compare an open position with the venue, and mend its orders."""
    held = await session.position()
    if not held:
        return Found.FLAT
    left = await _left(session, held)
    if not left:
        return Found.FLAT
    # After the fills: a target that fills in between is gone here, and not taken for too much.
    standing = await session.account.open_orders(session.symbol)
    stops = await _judge_stops(session, standing, left=left, held=held)
    if stops.missing or stops.wrong:
        # It may have done its work, with the owner's own position in its place by now: ask the fills before placing it.
        left_now = await position.left_of_ours(session)
        if not left_now:
            return Found.FLAT
        if not await _mend_stops(session, stops, left=left_now):
            return Found.UNGUARDED
    if session.execution.state is ExecutionState.UNPROTECTED or stops.missing:
        await protecting.note_protected(session)
    exits = protecting.plan_for(session, _filled(session))
    await targets.fit_targets(session, exits, standing, left=left, beside=held > left)
    await _flatten_late_fill(session, left)
    await session.advance(
        slot=(PositionSlot.quantity.set(left),),
        due_at=due_by_next_run(),
        flat_since=None,
        seen_amount=held,
    )
    return Found.GUARDED


async def keep_guarded(session: ExecutionSession) -> None:
    """Put back the stops of a position that could not be closed; what cannot be placed either is logged there."""
    held, left = await asyncio.gather(session.position(), position.left_of_ours(session))
    if held and left:
        standing = await session.account.open_orders(session.symbol)
        await _mend_stops(session, await _judge_stops(session, standing, left=left, held=held), left=left)


def _filled(session: ExecutionSession) -> Decimal:
    amount = session.execution.filled_amount
    if amount is None:
        raise RecordChanged("a position without its amount: look again")
    return amount


async def _left(session: ExecutionSession, held: Decimal) -> Decimal:
    """Return what is left of ours: as reckoned last while the venue's position is the same, else by the fills."""
    known = session.lease.slot.quantity
    once = len(session.of_leg(Leg.ENTRY)) == 1
    if once and known is not None and held == session.execution.seen_amount:
        return known
    return await position.left_of_ours(session)


async def _judge_stops(
    session: ExecutionSession, standing: Sequence[OrderView], *, left: Decimal, held: Decimal
) -> _Stops:
    missing, wrong = list[PlannedOrder](), list[OrderView]()
    ours = [view for view in standing if view.status.is_open and leg_of(session, view) in STOP_LEGS]
    for planned in _needed(session, left):
        of_leg = [view for view in ours if leg_of(session, view) is planned.leg]
        fitting = [view for view in of_leg if _fits(session, view, planned, left=left, beside=held > left)]
        limits = [view for view in of_leg if not view.conditional]
        kept = (fitting or limits)[:1]  # a limit stop that triggered is the limit order that it became
        if not kept and not await _stands_unlisted(session, planned, standing, left=left):
            missing.append(planned)
        wrong += [view for view in of_leg if view not in kept]
    return _Stops(tuple(missing), tuple(wrong))


def _needed(session: ExecutionSession, left: Decimal) -> tuple[PlannedOrder, ...]:
    """Return the planned stops, cut to what is left; less than an order may hold is left to the whole position's."""
    amount = round_down(left, session.filters.step_size)
    return tuple(
        stop if stop.amount is None else replace(stop, amount=min(stop.amount, amount))
        for stop in protecting.plan_for(session, _filled(session)).stops
        if stop.amount is None or amount >= session.filters.min_amount
    )


def _fits(
    session: ExecutionSession, view: OrderView, planned: PlannedOrder, *, left: Decimal, beside: bool = False
) -> bool:
    """Tell whether a standing stop does what was planned: at its prices, on its side, for all of ours; and no more,
    where the owner holds something `beside` it. A price that the exchange does not say is not judged.
    """
    same = (
        view.side is planned.side
        and view.type == planned.type.value
        and view.trigger_price in {None, planned.trigger_price}
        and view.price in {None, planned.price}
    )
    if not same or view.close_position:
        return same and planned.close_position
    # One that stands for its amount, because the owner's own closes the position, cannot hold dust.
    need = planned.amount or round_down(left, session.filters.market_step_size)
    return view.remaining >= need and not (beside and view.remaining > need)


async def _stands_unlisted(
    session: ExecutionSession, planned: PlannedOrder, standing: Sequence[OrderView], *, left: Decimal
) -> bool:
    """Ask for a stop that one list of open orders lacks: lists may be late, and not found once is not gone."""
    known = session.of_leg(planned.leg)
    if not known:
        return False
    for number in range(_LOOK_UPS):
        if number:
            await asyncio.sleep(_LOOK_UP_PAUSE_S)
        view = await session.look_up(known[-1])
        if view is not None:
            break
    if view is None:
        return False
    if view.status.is_open:
        return _fits(session, view, planned, left=left)
    # Triggered: a limit stop's order may rest behind a gap, with the backstop still before it.
    triggered = view.status is VenueStatus.TRIGGERED and planned.type is OrderType.STOP
    return triggered and any(one.exchange_order_id == view.actual_order_id for one in standing if one.status.is_open)


async def _mend_stops(session: ExecutionSession, stops: _Stops, *, left: Decimal) -> bool:
    """Place what is missing and cancel what is wrong; the exchange takes one stop of the whole position a side, so a
    wrong one of that kind goes first, every other only when the right one stands.
    """
    execution_id = session.execution.id
    first = [view for view in stops.wrong if view.close_position]
    if stops.missing:
        logger.error("stop_missing", execution_id=execution_id, legs=[stop.leg.value for stop in stops.missing])
        count_outcome("stop_missing")
    if first:
        await cancel(session, first)
    for view in stops.wrong:
        if view.client_order_id in session.orders:
            session.orders[view.client_order_id].status = OrderStatus.CANCELLED  # its id is not used again
    if stops.missing:
        give_up_at_s = time.monotonic() + protecting.STOP_GIVE_UP_S
        legs = {stop.leg for stop in stops.missing}
        needed = [stop for stop in _needed(session, left) if stop.leg in legs]
        if not await protecting.place_stops(session, needed, amount=left, give_up_at_s=give_up_at_s):
            return False
    await cancel(session, [view for view in stops.wrong if not view.close_position])
    return True


async def _flatten_late_fill(session: ExecutionSession, left: Decimal) -> None:
    """Close what an entry that was proven absent, and sent once more, has filled after all."""
    too_much = left - _filled(session)
    if len(session.of_leg(Leg.ENTRY)) > 1 and too_much > 0:
        logger.error("entry_filled_twice", execution_id=session.execution.id)
        count_outcome(protecting.ATTENTION)
        await closing.reduce(session, Leg.FLATTEN, too_much)
