"""What a message means in the state that its execution is in. The lease is taken here and given back here.

Any message may come any number of times, late, or after another worker's death: each step begins by reading where
the execution stands, and goes on from there.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from typing import assert_never

from functions.order_executor import accounts, admission, booking, closing, entering, protecting
from functions.order_executor.entering import Absent, Filled, Outcome, Refused
from functions.order_executor.trade import LEASE_S, Trade, due_in
from shared.clock import utc_now
from shared.errors import (
    ExchangeAuthorizationFailed,
    ExchangeError,
    ExchangeThrottled,
    LeaseLost,
    NotFound,
    OrderDenied,
    RecordChanged,
)
from shared.exchange.views import AccountView
from shared.messages import Command, OrderMessage, ReconcileMessage, send_reconcile
from shared.models.base import read_together
from shared.models.exchange_key import ExchangeKey
from shared.models.execution import Execution
from shared.models.order import Order
from shared.models.position_slot import PositionSlot
from shared.observability import count_outcome, logger
from shared.trading.execution import CloseReason, DenialReason, Desired, ExecutionState, is_active
from shared.trading.ids import STOP_LEGS, Leg

_LEASE_WAIT_S = 15.0
_LEASE_POLL_S = 0.2
_LOOK_AGAIN_S = 10


async def handle(message: OrderMessage) -> None:
    """Do what a message asks for, as far as it is still to be done; raise for faults, so that it comes again."""
    lease = await _lease(message)
    if lease is None:
        # A living worker is at it. Should it die, the look in a while finds the work undone.
        await asyncio.to_thread(send_reconcile, ReconcileMessage(message.execution_id), delay_s=_LOOK_AGAIN_S)
        return
    slot, lease_ends_s = lease
    trade = None
    try:
        # Read under the lease: what another worker did before is all there.
        execution, key = await asyncio.to_thread(
            read_together, (Execution, message.execution_id, None), (ExchangeKey, message.api_key_id, None)
        )
        if execution is None or key is None:
            raise NotFound(f"execution {message.execution_id} or its key {message.api_key_id}")
        if not execution.active:
            return
        trade = await _open_trade(execution, key, slot, lease_ends_s=lease_ends_s)
        await _work(trade, message.command)
    except ExchangeAuthorizationFailed as error:
        await _without_access(execution, trade, error)
    finally:
        await asyncio.to_thread((trade.slot if trade is not None else slot).release)


async def _lease(message: OrderMessage) -> tuple[PositionSlot, float] | None:
    """Take the lease, waiting for another worker's; return it with the monotonic time of its end."""
    owner = str(uuid.uuid4())
    give_up_at = time.monotonic() + _LEASE_WAIT_S
    while True:
        asked_at = time.monotonic()
        try:
            slot = await asyncio.to_thread(
                PositionSlot.acquire,
                api_key_id=message.api_key_id,
                symbol=message.symbol,
                owner=owner,
                lease_s=LEASE_S,
            )
        except LeaseLost:
            if asked_at >= give_up_at:
                return None
            await asyncio.sleep(_LEASE_POLL_S)
        else:
            return slot, asked_at + LEASE_S


async def _open_trade(execution: Execution, key: ExchangeKey, slot: PositionSlot, *, lease_ends_s: float) -> Trade:
    account = await accounts.account_of(key, symbol=execution.symbol)
    trade = Trade(
        execution=execution,
        slot=slot,
        account=account,
        filters=await account.filters(execution.symbol),
        worker=str(slot.lease_owner),
        lease_ends_s=lease_ends_s,
    )
    if execution.state is not ExecutionState.QUEUED:
        await trade.load_orders()
    return trade


async def _work(trade: Trade, command: Command) -> None:
    match command:
        case Command.OPEN | Command.SETTLE:
            await settle(trade)
        case Command.CLOSE:
            if trade.execution.desired is not Desired.CLOSED:
                await trade.advance(desired=Desired.CLOSED)
            await settle(trade)
        case _:
            assert_never(command)


async def settle(trade: Trade) -> None:
    """Take the execution from where it stands to where it should be."""
    state = trade.execution.state
    match state:
        case ExecutionState.QUEUED:
            await _open(trade)
        case ExecutionState.ENTERING | ExecutionState.ENTRY_UNKNOWN:
            entry = trade.of_leg(Leg.ENTRY)[-1]
            await _after_entry(trade, entry, await entering.resolve_entry(trade, entry))
        case ExecutionState.UNPROTECTED | ExecutionState.PROTECTED:
            await _watch(trade)
        case ExecutionState.CLOSING:
            await _close(trade, leg=Leg.CLOSE, reason=CloseReason.ADMIN)
        case ExecutionState.FLATTENING:
            await _close(trade, leg=Leg.FLATTEN, reason=CloseReason.FLATTENED)
        case ExecutionState.CLOSED | ExecutionState.DENIED | ExecutionState.REJECTED | ExecutionState.FAILED:
            return
        case _:
            assert_never(state)


# -- opening: the two halves of a trigger ------------------------------------------------------------------------------


async def _open(trade: Trade) -> None:
    """Close what an older trigger holds on the other side, then open, or say why not."""
    try:
        await _make_room(trade)
        entry = await _admit_and_intend(trade)
    except OrderDenied as denied:
        await booking.end_without_position(
            trade, state=ExecutionState.DENIED, reason=denied.reason, detail=denied.detail
        )
        return
    except ExchangeThrottled as error:
        await booking.end_without_position(
            trade, state=ExecutionState.DENIED, reason=DenialReason.WEIGHT_EXHAUSTED, detail=str(error)
        )
        return
    await _after_entry(trade, entry, await entering.send_entry(trade, entry))


async def _make_room(trade: Trade) -> None:
    """The CLOSE half: end what this follower holds on the other side. It runs whatever becomes of the OPEN half."""
    execution = trade.execution
    prior_id = trade.slot.execution_id
    if prior_id is None or prior_id == execution.id:
        return
    prior = await asyncio.to_thread(Execution.find, prior_id)
    if prior is None or not prior.active:
        return
    if prior.follower_id != execution.follower_id:
        raise OrderDenied(DenialReason.FOREIGN_POSITION, "held for another strategy")
    before = Trade(
        execution=prior,
        slot=trade.slot,
        account=trade.account,
        filters=trade.filters,
        worker=trade.worker,
        lease_ends_s=trade.lease_ends_s,
    )
    await before.load_orders()
    opposite = prior.side is not execution.side and prior.seq < execution.seq
    try:
        if opposite:
            await _close_prior(before)
        else:
            await settle(before)  # its exit may have happened without anybody having booked it yet
    except (ExchangeError, RecordChanged) as error:
        logger.warning("prior_not_settled", execution_id=prior.id, detail=str(error))
    finally:
        trade.slot, trade.lease_ends_s = before.slot, before.lease_ends_s
    await trade.refresh()
    if before.execution.active:
        if opposite:
            raise OrderDenied(DenialReason.PREVIOUS_POSITION_OPEN, before.execution.state.value)
        raise OrderDenied(DenialReason.ALREADY_IN_POSITION, prior.id)


async def _close_prior(before: Trade) -> None:
    if before.execution.desired is not Desired.CLOSED:
        await before.advance(
            desired=Desired.CLOSED, close_reason=before.execution.close_reason or CloseReason.OPPOSITE.value
        )
    await settle(before)


async def _admit_and_intend(trade: Trade) -> Order:
    """The OPEN half up to the written intent; raise OrderDenied."""
    execution = trade.execution
    standing = await asyncio.to_thread(admission.read_standing, execution)
    admission.admit_follower(standing, execution)
    admission.admit_age(standing, execution, now=utc_now())
    view = await _read_flat_account(trade)
    admission.admit_account(view, max_balance_usd=execution.max_balance_usd)
    admission.admit_age(standing, execution, now=utc_now(), market_price=view.market_price)
    sized = admission.size(execution, view, trade.filters)
    exits = protecting.plan_for(trade, sized.amount)
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


async def _after_entry(trade: Trade, entry: Order, outcome: Outcome) -> None:
    match outcome:
        case Filled():
            count_outcome("entry_filled")
            await _protect(trade, outcome)
        case Refused():
            await booking.end_without_position(trade, state=outcome.state, reason=outcome.reason, detail=outcome.detail)
        case Absent():
            if await _may_resend(trade):
                await _after_entry(trade, trade.of_leg(Leg.ENTRY)[-1], await entering.resend_entry(trade, entry))
            else:
                await booking.end_without_position(
                    trade, state=ExecutionState.FAILED, reason=CloseReason.ENTRY_UNKNOWN, detail="proven absent"
                )
        case _:
            assert_never(outcome)


async def _may_resend(trade: Trade) -> bool:
    if len(trade.of_leg(Leg.ENTRY)) > 1 or trade.execution.desired is Desired.CLOSED:
        return False
    try:
        standing = await asyncio.to_thread(admission.read_standing, trade.execution)
        admission.admit_follower(standing, trade.execution)
        price = await trade.account.market_price(trade.symbol)
        admission.admit_age(standing, trade.execution, now=utc_now(), market_price=price)
    except OrderDenied:
        return False
    return True


# -- in position -------------------------------------------------------------------------------------------------------


async def _protect(trade: Trade, filled: Filled) -> None:
    if await protecting.protect(trade, filled):
        count_outcome("position_protected")
        if trade.execution.desired is Desired.CLOSED:
            await _close(trade, leg=Leg.CLOSE, reason=CloseReason.ADMIN)
        return
    await _close(trade, leg=Leg.FLATTEN, reason=CloseReason.FLATTENED)


async def _watch(trade: Trade) -> None:
    """Compare an open position with the venue: closed there, wanted closed, or without its stop."""
    if not await trade.position():
        if await trade.position():  # said once, it proves nothing
            raise RecordChanged("the venue's answers about the position differ: look again")
        await closing.cancel_orders(trade, keep_stops=False)
        await booking.book(trade)
        return
    if trade.execution.desired is Desired.CLOSED:
        await _close(trade, leg=Leg.CLOSE, reason=CloseReason.ADMIN)
        return
    standing = await trade.account.open_orders(trade.symbol)
    if protecting.stop_stands(standing, trade.of_leg(*STOP_LEGS)):
        if trade.execution.state is ExecutionState.UNPROTECTED:
            await protecting.note_protected(trade)
        amount = trade.execution.filled_amount
        if amount is not None:
            await protecting.place_targets(trade, protecting.plan_for(trade, amount))
        await trade.advance(due_at=due_in(protecting.WATCH_EVERY_S))
        return
    await _protect_again(trade)


async def _protect_again(trade: Trade) -> None:
    entry = trade.of_leg(Leg.ENTRY)[-1]
    view = await trade.look_up(entry)
    amount = await closing.remaining(trade)
    if view is None or not amount:
        raise RecordChanged("the venue's answers about the position differ: look again")
    logger.error("stop_missing", execution_id=trade.execution.id)
    await _protect(trade, Filled(amount=trade.execution.filled_amount or view.filled, view=view))


async def _close(trade: Trade, *, leg: Leg, reason: CloseReason) -> None:
    if await closing.close(trade, leg=leg, reason=reason):
        await booking.book(trade)


async def _without_access(execution: Execution, trade: Trade | None, error: ExchangeAuthorizationFailed) -> None:
    """The exchange refuses the key. Nothing opened: that is the answer. Something open: alarm, and look again."""
    current = trade.execution if trade is not None else execution
    if trade is not None and current.state is ExecutionState.QUEUED:
        await booking.end_without_position(
            trade, state=ExecutionState.DENIED, reason=DenialReason.KEY_UNAUTHORIZED, detail=str(error)
        )
        return
    if is_active(current.state):
        logger.error("position_out_of_reach", execution_id=current.id, code=error.code)
        count_outcome("position_out_of_reach")
        await asyncio.to_thread(send_reconcile, ReconcileMessage(current.id), delay_s=_LOOK_AGAIN_S)
