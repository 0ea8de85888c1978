"""Opens what is queued: the older position on the other side is closed first; then the entry, or a reason for none."""

from __future__ import annotations

import asyncio
import contextlib
import time
from decimal import Decimal
from functools import partial
from typing import NoReturn

from functions.order_executor import (
    booking,
    entering,
    exit_plans,
    key_health,
    loss_limits,
    prior_position,
    reconciling,
    venue_orders,
    waiting,
)
from functions.order_executor.ledger import Ledger
from functions.order_executor.session import ExecutionSession
from shared import admission, losses
from shared.admission import EntryContext
from shared.clock import utc_now
from shared.errors import ExchangeThrottled, LockstepError, NotFound, OrderDenied, RecordChanged
from shared.exchange import lanes, weights
from shared.exchange.futures import FuturesAccount
from shared.exchange.gate import Request, Work
from shared.exchange.venue_views import AccountView
from shared.models.account_claim import AccountClaim
from shared.models.execution import Execution
from shared.models.order import Order
from shared.trading.execution import DenialReason, ExecutionState
from shared.trading.exits import UNCHANGED
from shared.trading.filters import SymbolFilters
from shared.trading.reduction import plan_reduction

ENTRY_NEEDS_S = 10.0
"""With less than this before the deadline no entry begins: entry, stop and a possible flattening must fit."""


class TooLate(LockstepError):
    """Too little time is left in this invocation for an entry."""


async def open_queued(
    ledger: Ledger, account: FuturesAccount, *, known_unfit: DenialReason | None, ends_at_s: float
) -> None:
    """Close what an older trigger holds on the other side, then enter, or record why not.

    `known_unfit` is why a verdict of the last hour denies the key's entries.
    """
    finding = hold = None
    try:
        admission.admit_order_of_arrival(ledger.execution)
        await prior_position.make_room(ledger, account)
        if known_unfit is not None:
            await _deny_unfit(ledger, known_unfit, lane=account.lane)
        if losses.limits_losses(ledger.execution):
            await prior_position.book_unbooked(ledger, account)
        context, session, hold = await _admit_with_weight(ledger, account)
        checked_at = utc_now()
        view = await _read_flat_account(session, context)
        finding = key_health.compare(context, view, margin_asset=account.margin_asset, checked_at=checked_at)
        entry = await _size_and_intend(session, context, view, ends_at_s=ends_at_s)
    except OrderDenied as denied:
        await booking.end_without_position(
            ledger, state=ExecutionState.DENIED, reason=DenialReason(denied.reason), detail=denied.detail
        )
        if denied.reason == DenialReason.ACCOUNT_UNKNOWN:
            await key_health.request_inspection(ledger.execution)
    except ExchangeThrottled as error:
        await waiting.postpone_entry(ledger, error, lane=account.lane)
        return
    else:
        await reconciling.after_entry(session, entry, await entering.send_entry(session, entry))
    finally:
        if hold is not None:
            hold.release()
    await key_health.record(finding)


async def _deny_unfit(ledger: Ledger, reason: DenialReason, *, lane: str) -> NoReturn:
    """Deny an entry by its key's last verdict, or by what our own records say first. Asks for no weight."""
    context = await asyncio.to_thread(admission.read_context, ledger.execution, lane=lane)
    admission.admit_follower(context, ledger.execution)
    raise OrderDenied(reason, "by the last verdict on the key")


async def _admit_with_weight(
    ledger: Ledger, account: FuturesAccount
) -> tuple[EntryContext, ExecutionSession, lanes.Hold]:
    """Judge the follower by our own records while the lane holds the weight of the entry and of its exits."""
    context, hold = await asyncio.gather(
        asyncio.to_thread(admission.read_context, ledger.execution, lane=account.lane),
        lanes.limiter_of(account.lane).admit(Request(Work.ENTRY, weights.ENTRY_HOLD), patience_s=waiting.PATIENCE_S),
        return_exceptions=True,
    )
    with contextlib.ExitStack() as unless_admitted:
        if isinstance(hold, lanes.Hold):
            unless_admitted.callback(hold.release)
        if isinstance(context, BaseException):
            raise context
        admission.admit_follower(context, ledger.execution)
        admission.admit_owner(context)
        admission.admit_age(context, ledger.execution, now=utc_now())
        if isinstance(hold, BaseException):
            raise hold
        if not await account.is_trading(ledger.symbol):
            raise OrderDenied(DenialReason.SYMBOL_NOT_TRADING)
        filters = await account.filters(ledger.symbol)
        unless_admitted.pop_all()
    session = ExecutionSession(
        ledger=ledger, account=account, filters=filters, known_permissions=key_health.known_permissions(context)
    )
    return context, session, hold


async def _read_flat_account(session: ExecutionSession, context: EntryContext) -> AccountView:
    """Read the account fresh; raise OrderDenied if it holds a position, or orders that are not ours, on the symbol."""
    try:
        view = await session.read_account()
    except NotFound as error:
        # The exchange lists the symbol, but not for this account.
        raise OrderDenied(DenialReason.SYMBOL_NOT_TRADING, str(error)) from error
    if view.position_amount:
        in_use = await _is_in_use_by_now(session, context)
        reason = DenialReason.ACCOUNT_IN_USE if in_use else DenialReason.FOREIGN_POSITION
        raise OrderDenied(reason, f"{view.position_amount}")
    if view.open_orders:
        foreign = await venue_orders.cancel_leftovers(session, view.open_orders)
        if foreign:
            raise OrderDenied(DenialReason.FOREIGN_POSITION, f"{len(foreign)} order(s) of somebody else")
        view = await session.read_account()
        if view.position_amount or view.open_orders:
            raise OrderDenied(DenialReason.FOREIGN_POSITION, "leftovers could not be cancelled")
    return view


def _taker_rate(context: EntryContext, execution: Execution) -> Decimal:
    if context.key is None:
        raise OrderDenied(DenialReason.KEY_INACTIVE)
    return context.key.taker_rate(execution.symbol, now=utc_now())


async def _size_and_intend(
    session: ExecutionSession, context: EntryContext, view: AccountView, *, ends_at_s: float
) -> Order:
    """Return the written intent to enter; raise OrderDenied, or TooLate when the rest would not fit."""
    execution = session.execution
    admission.admit_account(view, max_balance_usd=execution.max_balance_usd)
    await loss_limits.admit(execution, session.account, context.results, wallet=view.wallet_balance)
    # Set before the exits are planned; `intend_entry` writes it.
    execution.passed_targets = admission.admit_market(
        context, execution, filters=session.filters, prices=view.prices, now=utc_now()
    )
    # Kept for whatever is sized later; `intend_entry` writes it too.
    execution.taker_rate = _taker_rate(context, execution)
    # The whole entry is made and reduced afterwards: a share of its amount has one meaning, whichever comes first.
    execution.keep_share = None if context.target == UNCHANGED else context.target.keep_share
    for name, value in execution.changes_for(context.requested).items():
        setattr(execution, name, value)
    sized = admission.size(execution, view, session.filters, taker_rate=execution.taker_rate)
    _admit_rest(execution, sized.amount, filters=session.filters)
    exits = exit_plans.plan_for(session, sized.amount)
    if ends_at_s - time.monotonic() < ENTRY_NEEDS_S:
        raise TooLate
    alias = admission.admit_owner(context)
    claim = partial(AccountClaim.take, execution=execution, account_alias=alias, ended=context.claim)
    session.view_at_entry, session.liquidation_price = view, sized.liquidation_price
    try:
        return await entering.intend_entry(session, sized, exits, claim=claim)
    except RecordChanged as error:
        in_use = await _is_in_use_by_now(session, context)
        raise OrderDenied(DenialReason.ACCOUNT_IN_USE if in_use else DenialReason.CLOSE_REQUESTED) from error


def _admit_rest(execution: Execution, amount: Decimal, *, filters: SymbolFilters) -> None:
    """Deny an entry of which a reduction would leave less than the exchange takes: it would be closed at once."""
    if execution.keep_share is None:
        return
    rest = plan_reduction(entered=amount, left=amount, keep_share=execution.keep_share, filters=filters).keep
    if not rest:
        raise OrderDenied(DenialReason.BELOW_MINIMUM, f"an exit alert leaves {execution.keep_share:f} of {amount:f}")


async def _is_in_use_by_now(session: ExecutionSession, context: EntryContext) -> bool:
    """Return whether another key has entered on the account since its claim was read."""
    claim = await asyncio.to_thread(AccountClaim.find, admission.admit_owner(context), session.symbol)
    return claim is not None and await asyncio.to_thread(claim.holds_against, session.execution.api_key_id)
