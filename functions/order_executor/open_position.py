"""Reconciles an open position: what is left of ours, whether its stops stand, whether its targets fit.

The venue decides about positions, our records about what was intended. Repairs orders; the caller ends a position that
is flat, and closes one that cannot be protected.
"""

from __future__ import annotations

import asyncio
from decimal import Decimal
from enum import StrEnum

from functions.order_executor import (
    closing,
    exit_plans,
    moving,
    position,
    protecting,
    remainder,
    retargeting,
    stops,
    targets,
    watching,
)
from functions.order_executor.session import ExecutionSession
from functions.order_executor.unlisted import confirmed_amount
from shared.errors import ExchangeThrottled, ExchangeUnavailable, OutcomeUnknown
from shared.models.position_slot import PositionSlot
from shared.observability import ATTENTION_NEEDED, count_outcome, logger
from shared.scheduling import due_by_next_run
from shared.trading.execution import ExecutionState
from shared.trading.ids import ENTRY_LEGS, Leg

_ATTEMPTS_WITHOUT_STOP = 5
_PAUSE_S = 0.3


class Found(StrEnum):
    """The state of an open position."""

    GUARDED = "GUARDED"
    FLAT = "FLAT"
    """The venue reads flat, or the fills show that nothing of ours is left."""
    UNGUARDED = "UNGUARDED"
    """A stop is missing and could not be placed, so the position must be closed."""


async def reconcile_position(session: ExecutionSession) -> Found:
    """Compare an open position with the venue, and repair its orders.

    Where the position has no stop, or none that is listed, a failed request does not wait for the message's next
    delivery.
    """
    for attempt in range(1, _ATTEMPTS_WITHOUT_STOP + 1):
        try:
            return await _reconcile_once(session)
        except (OutcomeUnknown, ExchangeUnavailable) as error:
            naked = session.execution.state is ExecutionState.UNPROTECTED or session.stop_unlisted
            if not naked or isinstance(error, ExchangeThrottled) or attempt == _ATTEMPTS_WITHOUT_STOP:
                raise
            logger.warning("reconciliation_repeated", execution_id=session.execution.id, detail=str(error))
        await asyncio.sleep(_PAUSE_S)
        await session.lease.renew_if_short()
    raise AssertionError("unreachable: the last attempt raises")


async def _reconcile_once(session: ExecutionSession) -> Found:
    held = await session.position()
    if not held:
        return Found.FLAT
    left = await _amount_left(session, held)
    if not left:
        return Found.FLAT
    # Read after the fills, so that a target that fills in between is not counted as surplus.
    standing = await session.account.open_orders(session.symbol)
    if watching.lacks_a_target(session, standing):
        # It has filled, and the owner has traded as much the other way, so that the position shows neither.
        left = await position.left_of_ours(session)
        if not left:
            return Found.FLAT
        standing = await session.account.open_orders(session.symbol)
    found = await stops.judge_stops(session, standing, left=left, held=held)
    if found.missing or found.deviating:
        # The stop may have filled, and the owner may hold a position by now: read the fills before placing it again.
        left_now = await position.left_of_ours(session)
        if not left_now:
            return Found.FLAT
        if not await _put_stops_in_order(session, found, left=left_now):
            return Found.UNGUARDED
    if session.execution.state is ExecutionState.UNPROTECTED:
        await protecting.record_protected(session)
    if not remainder.is_pending(session):
        standing, left = await retargeting.retarget_if_asked(session, standing, left=left)
        exits = exit_plans.plan_for(session, stops.filled_amount(session))
        await targets.fit_targets(session, exits, standing, left=left, beside=held > left)
        await moving.move_if_due(session, found, standing, left=left, held=held)
    was_larger = await _flatten_late_fill(session, left)
    reached = await session.collect()
    await session.ledger.advance(
        slot=(PositionSlot.quantity.set(left),),
        due_at=due_by_next_run(),
        flat_since=None,
        seen_amount=Decimal(0) if was_larger else held,  # the next look reads what the flattening has filled
        update_requested_at=None if _could_change_exits(session) else session.execution.update_requested_at,
        **reached,
        **watching.watched(session, standing),
    )
    return Found.GUARDED


def _could_change_exits(session: ExecutionSession) -> bool:
    """Return whether this look has changed the exits as updates ask, or found that they cannot be."""
    return session.filters_known and not session.stop_move_pending and not remainder.is_pending(session)


async def _put_stops_in_order(session: ExecutionSession, found: stops.Stops, *, left: Decimal) -> bool:
    """Carry on with a move of the stop, or repair the stops; return False when the position has none."""
    if moving.is_under_way(session, found, left=left):
        await moving.carry_on(session, found, left=left)
        return True
    if not await stops.repair_stops(session, found, left=left):
        return False
    if found.missing:
        await protecting.record_protected(session)
    return True


async def restore_stops(session: ExecutionSession) -> None:
    """Place the missing stops of a position that could not be closed."""
    held, left = await asyncio.gather(session.position(), position.left_of_ours(session))
    if held and left:
        standing = await session.account.open_orders(session.symbol)
        await stops.repair_stops(session, await stops.judge_stops(session, standing, left=left, held=held), left=left)


async def _amount_left(session: ExecutionSession, held: Decimal) -> Decimal:
    """Return what is left of ours: the recorded amount while the venue's position is unchanged, else by the fills."""
    known = position.recorded_amount(session, held)
    return await position.left_of_ours(session) if known is None else known


async def _flatten_late_fill(session: ExecutionSession, left: Decimal) -> bool:
    """Close what an entry or a remainder has filled after it was proven absent; return whether there was such a fill.

    It is told by what the entries have filled, because a reduction leaves less than the recorded amount.
    """
    if len(session.ledger.of_leg(*ENTRY_LEGS)) == 1 or remainder.is_pending(session):
        return False
    late = confirmed_amount(session, ENTRY_LEGS) - stops.filled_amount(session)
    surplus = min(left, late - confirmed_amount(session, (Leg.FLATTEN,)))
    if surplus <= 0:
        return False
    logger.error("entry_filled_twice", execution_id=session.execution.id)
    count_outcome(ATTENTION_NEEDED)
    await closing.reduce(session, Leg.FLATTEN, surplus)
    session.unseen_orders += session.ledger.of_leg(Leg.FLATTEN)
    return True
