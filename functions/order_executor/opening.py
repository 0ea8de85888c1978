"""The two halves of a trigger: close what an older one holds on the other side, then open, or say why not."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

from functions.order_executor import admission, booking, closing, entering, key_health, protecting, settling
from functions.order_executor.trade import Trade
from shared.clock import utc_now
from shared.errors import ExchangeError, ExchangeThrottled, LockstepError, OrderDenied, RecordChanged
from shared.exchange.views import AccountView
from shared.models.execution import Execution
from shared.models.order import Order, OrderStatus
from shared.observability import logger
from shared.trading.execution import CloseReason, DenialReason, Desired, ExecutionState
from shared.trading.ids import Leg

ENTRY_NEEDS_S = 10.0
"""Less than this before the deadline no entry begins: entry, stop and a possible flattening must fit."""


class TooLate(LockstepError):
    """Too little time is left in this invocation for an entry."""


async def open_position(trade: Trade, *, ends_at_s: float) -> None:
    """Close what an older trigger holds on the other side, then open, or say why not."""
    try:
        await _make_room(trade)
        entry = await _admit_and_intend(trade, ends_at_s=ends_at_s)
    except OrderDenied as denied:
        await booking.end_without_position(
            trade, state=ExecutionState.DENIED, reason=denied.reason, detail=denied.detail
        )
        await key_health.keep(trade.finding)
        return
    except ExchangeThrottled as error:
        await booking.end_without_position(
            trade, state=ExecutionState.DENIED, reason=DenialReason.WEIGHT_EXHAUSTED, detail=str(error)
        )
        return
    await settling.after_entry(trade, entry, await entering.send_entry(trade, entry))
    await key_health.keep(trade.finding)


async def _make_room(trade: Trade) -> None:
    """The CLOSE half: end what this follower holds on the other side. It runs whatever becomes of the OPEN half."""
    execution = trade.execution
    prior_id = trade.lease.slot.execution_id
    if prior_id is None or prior_id == execution.id:
        return
    prior = await asyncio.to_thread(Execution.find, prior_id)
    if prior is None or not prior.active:
        return
    if prior.follower_id != execution.follower_id:
        raise OrderDenied(DenialReason.FOREIGN_POSITION, "held for another strategy")
    before = replace(trade, execution=prior, orders={})
    await before.load_orders()
    opposite = prior.side is not execution.side and prior.seq < execution.seq
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
        logger.warning("prior_not_settled", execution_id=prior.id, detail=str(error))
    await trade.refresh()
    if before.execution.active:
        await settling.come_back(before)
        if opposite:
            raise OrderDenied(DenialReason.PREVIOUS_POSITION_OPEN, before.execution.state.value)
        raise OrderDenied(DenialReason.ALREADY_IN_POSITION, prior.id)


async def _close_prior(before: Trade) -> None:
    if before.execution.desired is not Desired.CLOSED:
        await before.advance(
            desired=Desired.CLOSED, close_reason=before.execution.close_reason or CloseReason.OPPOSITE.value
        )
    await settling.settle(before)


async def _admit_and_intend(trade: Trade, *, ends_at_s: float) -> Order:
    """The OPEN half up to the written intent; raise OrderDenied, or TooLate when the rest would not fit."""
    execution = trade.execution
    standing = await asyncio.to_thread(admission.read_standing, execution)
    admission.admit_follower(standing, execution)
    admission.admit_age(standing, execution, now=utc_now())
    if not await trade.account.is_trading(trade.symbol):
        raise OrderDenied(DenialReason.SYMBOL_NOT_TRADING)
    asked_at = utc_now()
    view = await _read_flat_account(trade)
    verdict = admission.judge_view(view)
    if standing.key is not None:
        trade.finding = key_health.compare(standing.readiness, standing.key, verdict, view=view, checked_at=asked_at)
    admission.admit_account(verdict, view, max_balance_usd=execution.max_balance_usd)
    admission.admit_age(standing, execution, now=utc_now(), market_price=view.market_price)
    sized = admission.size(execution, view, trade.filters)
    exits = protecting.plan_for(trade, sized.amount)
    if ends_at_s - time.monotonic() < ENTRY_NEEDS_S:
        raise TooLate
    try:
        return await entering.intend_entry(trade, sized, exits)
    except RecordChanged as error:
        raise OrderDenied(DenialReason.CLOSE_REQUESTED) from error


async def _read_flat_account(trade: Trade) -> AccountView:
    """Read the account fresh; it must hold nothing on the symbol, and no orders but leftovers of ours."""
    view = await trade.account.read(trade.symbol)
    if view.position_amount:
        raise OrderDenied(DenialReason.FOREIGN_POSITION, f"{view.position_amount}")
    if view.open_orders:
        foreign = await closing.cancel_leftovers(trade, view.open_orders)
        if foreign:
            raise OrderDenied(DenialReason.FOREIGN_POSITION, f"{len(foreign)} order(s) of somebody else")
        view = await trade.account.read(trade.symbol)
        if view.position_amount or view.open_orders:
            raise OrderDenied(DenialReason.FOREIGN_POSITION, "leftovers could not be cancelled")
    return view
