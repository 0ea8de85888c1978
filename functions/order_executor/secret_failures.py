"""Work that cannot begin, because the secret of its key cannot be opened: an entry ends, everything else is retried.

Each occurrence raises an alarm. Nothing is asked of the exchange here.
"""

from __future__ import annotations

from functions.order_executor import booking, exit_alerts, prior_position, recheck
from functions.order_executor.ledger import Ledger
from shared import admission
from shared.clock import utc_now
from shared.errors import OrderDenied, SecretUnreadable, ServiceUnavailable
from shared.messages import Command
from shared.observability import ATTENTION_NEEDED, count_outcome, logger
from shared.trading.execution import DenialReason, Desired, ExecutionState, Reason


async def end_or_retry(ledger: Ledger, command: Command, error: SecretUnreadable | ServiceUnavailable) -> None:
    """End an entry as FAILED, unless it may still succeed in time; keep begun work due, and alert."""
    execution = ledger.execution
    logger.error("secret_not_opened", execution_id=execution.id, api_key_id=execution.api_key_id, detail=str(error))
    count_outcome("secret_not_opened")
    if execution.state is ExecutionState.QUEUED and not execution.opens:
        await exit_alerts.carry_out(ledger, None)
        return
    if execution.state is ExecutionState.QUEUED:
        await _end_or_retry_entry(ledger, error)
        return
    if command is Command.CLOSE and execution.desired is not Desired.CLOSED:
        await ledger.advance(desired=Desired.CLOSED)
    logger.error("position_out_of_reach", execution_id=execution.id, state=execution.state.value)
    count_outcome(ATTENTION_NEEDED)
    await recheck.schedule_recheck(ledger)


async def _end_or_retry_entry(ledger: Ledger, error: SecretUnreadable | ServiceUnavailable) -> None:
    try:
        admission.admit_order_of_arrival(ledger.execution)
    except OrderDenied as denied:
        await booking.end_without_position(
            ledger, state=ExecutionState.DENIED, reason=DenialReason(denied.reason), detail=denied.detail
        )
        return
    in_time = admission.latest_entry_in_s(ledger.execution, now=utc_now()) > recheck.RETRY_ACCESS_S
    if in_time and isinstance(error, ServiceUnavailable):
        await recheck.schedule_recheck(ledger, after_s=recheck.RETRY_ACCESS_S)
        return
    await prior_position.request_close_of_opposite(ledger)
    await booking.end_without_position(
        ledger, state=ExecutionState.FAILED, reason=Reason.SECRET_UNREADABLE, detail=str(error)
    )
