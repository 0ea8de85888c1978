"""The position that an older trigger of the same follower holds: an entry closes it first, an exit alert means it.

It runs whatever becomes of the entry, under the entry's or the exit's lease.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

from functions.order_executor import recheck, reconciling, waiting
from functions.order_executor.ledger import Ledger
from functions.order_executor.session import ExecutionSession
from shared.errors import ExchangeError, ExchangeThrottled, OrderDenied, RecordChanged
from shared.exchange.futures import FuturesAccount
from shared.exchange.lanes import limiter_of
from shared.messages import ReconcileMessage, send_reconcile
from shared.models.execution import Execution
from shared.observability import logger
from shared.scheduling import RECHECK_S
from shared.trading.execution import CloseReason, DenialReason, Desired


async def make_room(ledger: Ledger, account: FuturesAccount) -> None:
    """Close an opposite position of the follower's, or reconcile one on the same side, which may have ended.

    Raise OrderDenied while the account is not verified flat, or if the position is of a newer trigger, and
    ExchangeThrottled when the lane has no weight for the close.
    """
    execution = ledger.execution
    prior = await find_prior(ledger)
    if prior is None:
        return
    if prior.follower_id != execution.follower_id:
        raise OrderDenied(DenialReason.FOREIGN_POSITION, "held for another strategy")
    if execution.place < prior.place:
        raise OrderDenied(DenialReason.SUPERSEDED, f"{prior.id} holds the position of a newer trigger")
    prior_ledger = Ledger(execution=prior, lease=ledger.lease)
    opposite = prior.side is not execution.side
    throttled = await try_to_reconcile(
        prior_ledger, account, close_for=CloseReason.OPPOSITE if opposite else None, for_entry=True
    )
    await ledger.refresh()
    if not prior_ledger.execution.may_be_at_exchange:
        return
    if throttled is not None:
        await waiting.wait_for_lane(prior_ledger, throttled, lane=account.lane)
        raise throttled
    await recheck.schedule_recheck(prior_ledger)
    if opposite:
        raise OrderDenied(DenialReason.PREVIOUS_POSITION_OPEN, prior_ledger.execution.state.value)
    raise OrderDenied(DenialReason.ALREADY_IN_POSITION, prior.id)


async def request_close_of_opposite(ledger: Ledger) -> None:
    """Have an opposite position of the follower's closed by a later worker, because this one has no access to it."""
    prior, execution = await find_prior(ledger), ledger.execution
    if prior is None or prior.follower_id != execution.follower_id or execution.place < prior.place:
        return
    if prior.side is not execution.side:
        prior_ledger = Ledger(execution=prior, lease=ledger.lease)
        await request_close(prior_ledger, CloseReason.OPPOSITE)
        await recheck.schedule_recheck(prior_ledger)


async def book_unbooked(ledger: Ledger, account: FuturesAccount) -> None:
    """Book the result of a position that has left the exchange, before an entry that is judged by what was lost.

    Raise ExchangeThrottled when the lane has no weight for it. It stays unbooked while its fills are not listed.
    """
    prior = await _find_in_slot(ledger)
    if prior is None or not prior.active or prior.may_be_at_exchange:
        return
    throttled = await try_to_reconcile(Ledger(execution=prior, lease=ledger.lease), account, for_entry=True)
    if throttled is not None:
        raise throttled


async def find_prior(ledger: Ledger) -> Execution | None:
    """Return the execution that has the slot, of whichever follower and place in time; None if it has left it."""
    prior = await _find_in_slot(ledger)
    return prior if prior is not None and prior.may_be_at_exchange else None


async def _find_in_slot(ledger: Ledger) -> Execution | None:
    prior_id = ledger.lease.slot.execution_id
    if prior_id is None or prior_id == ledger.execution.id:
        return None
    return await asyncio.to_thread(Execution.find, prior_id)


async def request_close(prior: Ledger, reason: CloseReason) -> None:
    """Record that the position is to be closed, unless it is on record already; raise RecordChanged."""
    if prior.execution.desired is not Desired.CLOSED:
        await prior.advance(desired=Desired.CLOSED, close_reason=prior.execution.close_reason or reason.value)


async def try_to_reconcile(
    prior: Ledger, account: FuturesAccount, *, close_for: CloseReason | None = None, for_entry: bool = False
) -> ExchangeThrottled | None:
    """Reconcile the position once, after a request to close it if `close_for` is given; its state says how it went.

    Return why the lane makes it wait. `for_entry`: an entry waits for it; without, the caller has scheduled a recheck.
    """
    preparations: list[Awaitable[None]] = [prior.load_orders(), limiter_of(account.lane).refresh()]
    if for_entry:
        # Should this worker crash after it has ended the prior execution, this message ends its trigger.
        recheck_message = ReconcileMessage(prior.execution.id)
        preparations.append(asyncio.to_thread(send_reconcile, recheck_message, delay_s=RECHECK_S))
    await asyncio.gather(*preparations)
    try:
        if close_for is not None:
            await request_close(prior, close_for)
        async with waiting.admitted(prior, account.lane, for_entry=for_entry):
            await _reconcile(prior, account, for_entry=for_entry)
    except (ExchangeError, RecordChanged) as error:
        logger.warning("prior_not_settled", execution_id=prior.execution.id, detail=str(error))
        return error if isinstance(error, ExchangeThrottled) else None
    return None


async def _reconcile(prior: Ledger, account: FuturesAccount, *, for_entry: bool) -> None:
    session = await ExecutionSession.resume(prior, account)
    await reconciling.reconcile(session)
    if for_entry and recheck.is_watched_for_late_fill(prior):
        # Nobody could tell a late fill of it from the next entry's, so it ends here.
        await reconciling.end_unknown(session)
