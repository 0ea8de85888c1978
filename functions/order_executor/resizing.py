"""Sizes an entry anew: one that was refused because what we had read was out of date, and what stayed unfilled."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

from functions.order_executor import exit_plans
from functions.order_executor.entry_intents import close_is_requested, size_changes, stamp_entry
from functions.order_executor.entry_outcome import NotPlaced, Refused
from functions.order_executor.session import ExecutionSession
from shared import admission
from shared.admission import EntryContext
from shared.clock import utc_now
from shared.errors import ExchangeError, ExchangeRejected, OrderDenied, RecordChanged
from shared.exchange import error_codes
from shared.exchange.venue_views import AccountView
from shared.models.order import Order
from shared.models.position_slot import PositionSlot
from shared.observability import logger
from shared.trading.execution import DenialReason, ExecutionState, exchange_reason
from shared.trading.filters import SymbolFilters, round_down
from shared.trading.risk import BASE_TAKER_RATE
from shared.trading.sizing import OpenedPart, SizedOrder


async def refuse_or_size_anew(
    session: ExecutionSession,
    entry: Order,
    error: ExchangeRejected,
    *,
    sent_with: SymbolFilters,
    sent_at_s: float,
    last: bool,
) -> Refused | NotPlaced | None:
    """Return the end of an entry that was refused, or None if it is sized anew and may be sent again.

    That is so when the refusal contradicts the filters or brackets that we have read, which are then read again. Where
    they cannot be read, the entry is tried again later.
    """
    refused = Refused(ExecutionState.REJECTED, exchange_reason(error.code), str(error))
    if last:
        return refused
    if error.code in error_codes.BRACKETS_CONTRADICTED:
        session.account.forget_brackets(session.symbol)
    elif error.code not in error_codes.FILTERS_CONTRADICTED:
        return refused
    elif not await session.renew_filters(sent_with, sent_at_s=sent_at_s):
        return NotPlaced(refused)
    return await _refuse_unless_changed(session, entry, refused)


async def size_after_refusal(session: ExecutionSession, entry: Order, refused: Refused) -> Refused | NotPlaced | None:
    """Return the end of an entry that was refused a while ago, or None if it is sized anew, by what is read now."""
    session.account.forget_brackets(session.symbol)
    if not await session.renew_filters(session.filters, sent_at_s=time.monotonic()):
        return NotPlaced(refused)
    return await _refuse_unless_changed(session, entry, refused)


async def _refuse_unless_changed(
    session: ExecutionSession, entry: Order, refused: Refused
) -> Refused | NotPlaced | None:
    try:
        return None if await _size_anew(session, entry) else refused
    except OrderDenied as denied:
        return Refused(ExecutionState.DENIED, DenialReason(denied.reason), denied.detail)
    except ExchangeError as error:
        logger.warning("entry_not_sized_anew", execution_id=session.execution.id, detail=str(error))
        return NotPlaced(refused)


async def size_from_fresh_price(session: ExecutionSession, *, opened: OpenedPart | None = None) -> SizedOrder:
    """Return the size of what an entry has left unfilled, all of it or the rest of the `opened` part.

    The prices are read after the entry, which has taken what was offered at the earlier ones. Raise OrderDenied when
    nothing may be entered any more, and ExchangeError when the prices cannot be read.
    """
    view = session.view_at_entry
    if view is None:
        raise ValueError("only the worker that has read the account for an entry sizes what it left")
    # The weight of these requests is in what the entry holds until it is protected.
    context, prices = await asyncio.gather(
        asyncio.to_thread(admission.read_context, session.execution, lane=session.account.lane),
        session.account.prices(session.symbol, asked_since_s=time.monotonic()),
    )
    return _size(session, context, replace(view, prices=prices), opened=opened)


def _size(
    session: ExecutionSession, context: EntryContext, view: AccountView, *, opened: OpenedPart | None = None
) -> SizedOrder:
    """Return the size of an entry that is admitted once more; raise OrderDenied when it may not be sent any more."""
    execution = session.execution
    admission.admit_follower(context, execution)
    admission.admit_market(context, execution, filters=session.filters, prices=view.prices, now=utc_now())
    # A record of before there were rates has none.
    taker_rate = execution.taker_rate or BASE_TAKER_RATE
    return admission.size(execution, view, session.filters, taker_rate=taker_rate, opened=opened)


async def _size_anew(session: ExecutionSession, entry: Order) -> bool:
    """Size an entry that was certainly refused by fresh filters and brackets; return whether that changes it.

    The new intent and its stops are written before it is sent. Raise OrderDenied when it may not be sent any
    more, and ExchangeError when the account cannot be read.
    """
    view = await session.read_account()
    if view.position_amount:
        return False
    session.view_at_entry = view
    context = await asyncio.to_thread(admission.read_context, session.execution, lane=session.account.lane)
    sized = _size(session, context, view)
    if sized.amount == entry.amount and _on_tick(session, entry):
        return False
    entry.amount, entry.price = sized.amount, sized.bound
    stops = exit_plans.replan_stops(session, sized.amount)
    await stamp_entry(session, entry)
    try:
        await session.ledger.advance(
            orders=(entry, *stops),
            slot=(PositionSlot.quantity.set(sized.amount),),
            unless=close_is_requested,
            **size_changes(sized),
        )
    except RecordChanged as error:
        raise OrderDenied(DenialReason.CLOSE_REQUESTED) from error
    logger.info("entry_sized_anew", execution_id=session.execution.id)
    return True


def _on_tick(session: ExecutionSession, entry: Order) -> bool:
    return entry.price is None or round_down(entry.price, session.filters.tick_size) == entry.price
