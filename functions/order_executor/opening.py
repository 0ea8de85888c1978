"""The two halves of a trigger: close what an older one holds on the other side, then open, or say why not."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

from functions.order_executor import (
    admission,
    booking,
    entering,
    key_health,
    protecting,
    settling,
    venue_orders,
    waiting,
)
from functions.order_executor.admission import Standing
from functions.order_executor.session import ExecutionSession
from shared.clock import utc_now
from shared.errors import ExchangeError, ExchangeThrottled, LockstepError, OrderDenied, RecordChanged
from shared.exchange import weights
from shared.exchange.lanes import Reservation, limiter_of
from shared.exchange.venue_views import AccountView
from shared.messages import ReconcileMessage, send_reconcile
from shared.models.execution import Execution
from shared.models.order import Order, OrderStatus
from shared.observability import logger
from shared.scheduling import RECHECK_S
from shared.trading.execution import CloseReason, DenialReason, Desired, ExecutionState
from shared.trading.ids import Leg

ENTRY_NEEDS_S = 10.0
"""Less than this before the deadline no entry begins: entry, stop and a possible flattening must fit."""


class TooLate(LockstepError):
    """Too little time is left in this invocation for an entry."""


async def open_position(session: ExecutionSession, *, ends_at_s: float) -> None:
    """Close what an older trigger holds on the other side, then open, or say why not."""
    try:
        await _make_room(session)
        entry = await _admit_and_intend(session, ends_at_s=ends_at_s)
    except OrderDenied as denied:
        await booking.end_without_position(
            session, state=ExecutionState.DENIED, reason=denied.reason, detail=denied.detail
        )
        await key_health.keep(session.finding)
        return
    except ExchangeThrottled as error:
        await waiting.postpone_entry(session, error)
        return
    await settling.after_entry(session, entry, await entering.send_entry(session, entry))
    await key_health.keep(session.finding)


async def _make_room(session: ExecutionSession) -> None:
    """The CLOSE half: end what this follower holds on the other side. It runs whatever becomes of the OPEN half."""
    execution = session.execution
    prior_id = session.lease.slot.execution_id
    if prior_id is None or prior_id == execution.id:
        return
    prior = await asyncio.to_thread(Execution.find, prior_id)
    if prior is None or not prior.active:
        return
    if prior.follower_id != execution.follower_id:
        raise OrderDenied(DenialReason.FOREIGN_POSITION, "held for another strategy")
    before = replace(session, execution=prior, orders={})
    await asyncio.gather(
        before.load_orders(),
        limiter_of(session.account.lane).refresh(),
        # Should this worker end it and die, nobody's message would tell its trigger: this one does.
        asyncio.to_thread(send_reconcile, ReconcileMessage(prior.id), delay_s=RECHECK_S),
    )
    opposite = prior.side is not execution.side and prior.seq < execution.seq
    throttled: ExchangeThrottled | None = None
    try:
        if opposite:
            await _close_prior(before)
        else:
            await settling.settle(before)  # its exit may have happened without anybody having booked it yet
        if before.execution.state is ExecutionState.ENTRY_UNKNOWN and before.of_leg(Leg.ENTRY)[-1].status is (
            OrderStatus.ABSENT
        ):
            # Proven absent, and now nobody could tell its late fill from the next entry's: it ends here.
            await settling.end_unknown(before)
    except (ExchangeError, RecordChanged) as error:
        throttled = error if isinstance(error, ExchangeThrottled) else None
        logger.warning("prior_not_settled", execution_id=prior.id, detail=str(error))
    await session.refresh()
    if before.execution.active and throttled is not None:
        await waiting.wait_for_lane(before, throttled)
        raise throttled
    if before.execution.active:
        await settling.come_back(before)
        if opposite:
            raise OrderDenied(DenialReason.PREVIOUS_POSITION_OPEN, before.execution.state.value)
        raise OrderDenied(DenialReason.ALREADY_IN_POSITION, prior.id)


async def _close_prior(before: ExecutionSession) -> None:
    if before.execution.desired is not Desired.CLOSED:
        await before.advance(
            desired=Desired.CLOSED, close_reason=before.execution.close_reason or CloseReason.OPPOSITE.value
        )
    await settling.settle(before)


async def _admit_and_intend(session: ExecutionSession, *, ends_at_s: float) -> Order:
    """The OPEN half up to the written intent; raise OrderDenied, or TooLate when the rest would not fit."""
    execution = session.execution
    standing = await _admit_with_weight(session)
    asked_at = utc_now()
    view = await _read_flat_account(session)
    verdict = admission.judge_view(view)
    if standing.key is not None:
        session.finding = key_health.compare(standing.readiness, standing.key, verdict, view=view, checked_at=asked_at)
    admission.admit_account(verdict, view, max_balance_usd=execution.max_balance_usd)
    admission.admit_age(standing, execution, now=utc_now(), market_price=view.market_price)
    sized = admission.size(execution, view, session.filters)
    exits = protecting.plan_for(session, sized.amount)
    if ends_at_s - time.monotonic() < ENTRY_NEEDS_S:
        raise TooLate
    try:
        return await entering.intend_entry(session, sized, exits)
    except RecordChanged as error:
        raise OrderDenied(DenialReason.CLOSE_REQUESTED) from error


async def _admit_with_weight(session: ExecutionSession) -> Standing:
    """Judge the follower by our own records while the lane's weight for the entry and its exits is reserved."""
    limiter = limiter_of(session.account.lane)
    standing, reserved = await asyncio.gather(
        asyncio.to_thread(admission.read_standing, session.execution),
        limiter.reserve(weights.ENTRY),
        return_exceptions=True,
    )
    try:
        if isinstance(standing, BaseException):
            raise standing
        admission.admit_follower(standing, session.execution)
        admission.admit_age(standing, session.execution, now=utc_now())
        if isinstance(reserved, BaseException):
            raise reserved
        if not await session.account.is_trading(session.symbol):
            raise OrderDenied(DenialReason.SYMBOL_NOT_TRADING)
        session.filters = await session.account.filters(session.symbol)
    except LockstepError:
        if isinstance(reserved, Reservation):
            await limiter.release(reserved)
        raise
    return standing


async def _read_flat_account(session: ExecutionSession) -> AccountView:
    """Read the account fresh; it must hold nothing on the symbol, and no orders but leftovers of ours."""
    view = await session.account.read(session.symbol)
    if view.position_amount:
        raise OrderDenied(DenialReason.FOREIGN_POSITION, f"{view.position_amount}")
    if view.open_orders:
        foreign = await venue_orders.cancel_leftovers(session, view.open_orders)
        if foreign:
            raise OrderDenied(DenialReason.FOREIGN_POSITION, f"{len(foreign)} order(s) of somebody else")
        view = await session.account.read(session.symbol)
        if view.position_amount or view.open_orders:
            raise OrderDenied(DenialReason.FOREIGN_POSITION, "leftovers could not be cancelled")
    return view
