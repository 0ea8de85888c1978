"""Carries out an exit alert on one follower: records what it asks for with the position that it means, and acts on it.

The exit ends once that is on record. Whatever is left to do is the position's own work from then on, as after an
admin's close. No guard denies an exit, and none is too old.
"""

from __future__ import annotations

import asyncio

from functions.order_executor import booking, prior_position, recheck, waiting
from functions.order_executor.ledger import Ledger
from shared.exchange.futures import FuturesAccount
from shared.observability import count_outcome, logger
from shared.scheduling import RECHECK_S
from shared.trading import exits
from shared.trading.execution import CloseReason, ExecutionState, Reason


async def end_without_position(ledger: Ledger) -> bool:
    """End the exit of a follower without a position that it means; return False if there is one."""
    if await _find_position(ledger) is not None:
        return False
    await _end(ledger, Reason.NOTHING_TO_CLOSE)
    return True


async def carry_out(ledger: Ledger, account: FuturesAccount | None) -> None:
    """Record that the position that the exit means is to be closed, end the exit, and close the position.

    Without an `account`, because there is no access to it now, the position is left to a later worker.
    """
    held = await _find_position(ledger)
    if held is None:
        await _end(ledger, Reason.NOTHING_TO_CLOSE)
        return
    await prior_position.request_close(held, CloseReason.EXIT_ALERT)
    # The request, its recheck and the exit's end are on record before the close begins: whatever becomes of this worker
    # then, another one closes the position, and none finds the exit without the position that it has closed.
    after_s = recheck.RETRY_ACCESS_S if account is None else RECHECK_S
    await recheck.schedule_recheck(held, after_s=after_s)
    await _end(ledger, Reason.APPLIED, detail=held.execution.id)
    if account is not None:
        await _close(held, account)


async def _find_position(ledger: Ledger) -> Ledger | None:
    """Return the ledger of the position that the exit means; None if the follower has none like it.

    An entry that is proven absent is no position. Its watch goes on: a late fill of it is flattened, exit or not.
    """
    position, execution = await prior_position.find_prior(ledger), ledger.execution
    if position is None or position.follower_id != execution.follower_id:
        return None
    if not exits.means(execution.place, position.place):
        return None
    held = Ledger(execution=position, lease=ledger.lease)
    if position.state is ExecutionState.ENTRY_UNKNOWN:
        await held.load_orders()
    return None if recheck.is_watched_for_late_fill(held) else held


async def _close(held: Ledger, account: FuturesAccount) -> None:
    throttled = await prior_position.try_to_reconcile(held, account)
    if not held.execution.may_be_at_exchange or recheck.is_watched_for_late_fill(held):
        return
    if throttled is not None:
        await waiting.wait_for_lane(held, throttled, lane=account.lane)
    else:
        await recheck.schedule_recheck(held)


async def _end(ledger: Ledger, reason: Reason, *, detail: str | None = None) -> None:
    await ledger.advance(ExecutionState.DONE, reason=reason, detail=detail)
    execution = ledger.execution
    count_outcome("exit_done", reason=reason)
    logger.info("exit_done", execution_id=execution.id, trigger_id=execution.trigger_id, reason=reason, position=detail)
    await asyncio.to_thread(booking.finish, execution)
