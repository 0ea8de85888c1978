"""Carries out an exit alert on one follower: records what it asks for with the position that it means, and acts on it.

The exit ends once that is on record. Whatever is left to do is the position's own work from then on, as after an
admin's close. No guard denies an exit, and none is too old.
"""

from __future__ import annotations

import asyncio

from functions.order_executor import booking, prior_position, recheck, updating, waiting
from functions.order_executor.ledger import Ledger
from functions.order_executor.updating import Answer
from shared.clock import utc_now
from shared.exchange.futures import FuturesAccount
from shared.models.execution import Execution
from shared.observability import count_outcome, logger
from shared.scheduling import RECHECK_S
from shared.trading import exits
from shared.trading.execution import AnyReason, CloseReason, Desired, ExecutionState, Reason
from shared.trading.exits import Exit, Target
from shared.trading.sides import TriggerAction

_NOTHING_TO_DO = {
    TriggerAction.CLOSE: Reason.NOTHING_TO_CLOSE,
    TriggerAction.REDUCE: Reason.NOTHING_TO_REDUCE,
    TriggerAction.UPDATE: Reason.NOTHING_TO_UPDATE,
}


async def end_without_position(ledger: Ledger) -> bool:
    """End the exit of a follower without a position that it means; return False if there is one."""
    if await _find_position(ledger) is not None:
        return False
    await _end_without_effect(ledger)
    return True


async def carry_out(ledger: Ledger, account: FuturesAccount | None) -> None:
    """Record what is to become of the position that the exit means, end the exit, and act on the position.

    Without an `account`, because there is no access to it now, the position is left to a later worker.
    """
    held = await _find_position(ledger)
    if held is None:
        await _end_without_effect(ledger)
        return
    answer = await _record(held, ledger.execution, account)
    if answer.reason is not Reason.APPLIED:
        await _end(ledger, answer.reason)
        return
    # The request, its recheck and the exit's end are on record before the position is acted on: whatever becomes of
    # this worker then, another one goes on, and none finds the exit without the position that it has closed.
    after_s = recheck.RETRY_ACCESS_S if account is None else RECHECK_S
    await recheck.schedule_recheck(held, after_s=after_s)
    await _end(ledger, Reason.APPLIED, detail="; refused: ".join([held.execution.id, *answer.refused]))
    if account is not None:
        await _act_on(held, account)


async def _find_position(ledger: Ledger) -> Ledger | None:
    """Return the ledger of the position that the exit means; None if the follower has none like it.

    An entry that is proven absent is no position. Its watch goes on: a late fill of it is flattened, exit or not.
    """
    position, execution = await prior_position.find_prior(ledger), ledger.execution
    if position is None or position.follower_id != execution.follower_id:
        return None
    if not exits.means(execution.place, position.place, side=execution.position_side, held=position.side):
        return None
    held = Ledger(execution=position, lease=ledger.lease)
    if position.state is ExecutionState.ENTRY_UNKNOWN:
        await held.load_orders()
    return None if recheck.is_watched_for_late_fill(held) else held


async def _record(held: Ledger, exit_alert: Execution, account: FuturesAccount | None) -> Answer:
    """Record what an exit alert asks of the position; return its answer."""
    asked = exit_alert.exit
    if asked.update is not None:
        return await updating.record_update(held, exit_alert, asked.update, account=account)
    return Answer() if await _record_request(held, asked) else Answer(_NOTHING_TO_DO[asked.action])


async def _record_request(held: Ledger, asked: Exit) -> bool:
    """Record what the exit asks of the position; return False of a reduction that asks for nothing less.

    What a delivery before a crash has recorded, and nobody has carried out, is this exit's as well.
    """
    wanted, known = exits.target_of(asked, size_at_entry=held.execution.position_size), held.execution.target
    if wanted.closes:
        await prior_position.request_close(held, CloseReason.EXIT_ALERT)
        return True
    if known.merge(wanted) != known:
        await held.advance(keep_share=wanted.keep_share, reduce_requested_at=utc_now(), unless=_is_closing)
    is_asked = held.execution.is_to_be_reduced and held.execution.target == wanted
    return is_asked and not _is_at_most(held, wanted)


def _is_closing(fresh: Execution) -> bool:
    return fresh.desired is Desired.CLOSED


def _is_at_most(held: Ledger, wanted: Target) -> bool:
    """Return whether no more of the position is left, by our records, than the exit asks for."""
    entered, left = held.execution.filled_amount, held.lease.slot.quantity
    return entered is not None and left is not None and left <= entered * wanted.keep_share


async def _act_on(held: Ledger, account: FuturesAccount) -> None:
    throttled = await prior_position.try_to_reconcile(held, account)
    if not held.execution.may_be_at_exchange or recheck.is_watched_for_late_fill(held):
        return
    if throttled is not None:
        await waiting.wait_for_lane(held, throttled, lane=account.lane)
    elif held.execution.desired is Desired.CLOSED or recheck.is_needed(held):
        await recheck.schedule_recheck(held)


async def _end_without_effect(ledger: Ledger) -> None:
    await _end(ledger, _NOTHING_TO_DO[ledger.execution.action])


async def _end(ledger: Ledger, reason: AnyReason, *, detail: str | None = None) -> None:
    await ledger.advance(ExecutionState.DONE, reason=reason, detail=detail)
    execution = ledger.execution
    count_outcome("exit_done", reason=reason)
    logger.info("exit_done", execution_id=execution.id, trigger_id=execution.trigger_id, reason=reason, position=detail)
    await asyncio.to_thread(booking.finish, execution)
