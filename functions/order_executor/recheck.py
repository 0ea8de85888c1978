"""When an execution must be reconciled sooner than by the watcher's next run."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Unpack

from functions.order_executor.ledger import Ledger
from functions.order_executor.session import ExecutionSession
from shared.messages import ReconcileMessage, send_reconcile
from shared.models.execution import LastLook
from shared.models.order import OrderStatus
from shared.scheduling import RECHECK_S, WATCH_INTERVAL_S, back_off_s, due_in
from shared.trading.execution import ExecutionState
from shared.trading.ids import TAKE_PROFIT_LEGS, Leg

RETRY_ACCESS_S = 5.0
"""Until work is tried again after the key's secret could not be opened, or the key was refused, for the first time."""
_TARGET_LEGS = (*TAKE_PROFIT_LEGS, Leg.TRAILING)


async def schedule_recheck(ledger: Ledger, *, after_s: float | None = None, **last_look: Unpack[LastLook]) -> None:
    """Reconcile the execution again in `after_s` seconds, or soon while its work is new, then less often.

    Moves `due_at` and sends one message for it. A worker that finds `due_at` moved drops its message, so rechecks never
    multiply. Work under way does not move `due_at`: its dead-man message would be dropped.
    """
    delay_s = int(after_s or back_off_s(ledger.execution.work_since, least_s=RECHECK_S))
    await ledger.advance(due_at=due_in(delay_s), **last_look)
    if delay_s < WATCH_INTERVAL_S:
        await asyncio.to_thread(send_reconcile, ReconcileMessage(ledger.execution.id), delay_s=delay_s)


async def schedule_look_if_unfinished(session: ExecutionSession) -> None:
    """Have a protected position looked at again soon, and by each run of the watcher, while it has unfinished orders.

    Otherwise its next look may be ten minutes away.
    """
    since = unfinished_since(session)
    if since is not None:
        await schedule_recheck(session.ledger, after_s=back_off_s(since, least_s=RECHECK_S), looked_at=None)


def unfinished_since(session: ExecutionSession) -> datetime | None:
    """Return since when an order of a protected position is unfinished; None if none is.

    That is a target that has not been sent, or whose outcome is not known; targets that cannot be planned while the
    filters cannot be read; and what this worker has sent without seeing its effect.
    """
    ledger = session.ledger
    latest = [order for leg in _TARGET_LEGS for order in ledger.of_leg(leg)[-1:]]
    since = [order.created_at for order in latest if order.status is OrderStatus.INTENDED]
    since += [order.created_at for order in session.unseen_orders]
    if not latest and not session.filters_known:
        since.append(ledger.execution.protected_at or ledger.execution.created_at)
    return min(since, default=None)


def is_needed(ledger: Ledger) -> bool:
    """Return whether the execution must not wait for the watcher's next run as it stands."""
    execution = ledger.execution
    if not execution.active or execution.state is ExecutionState.QUEUED:
        return False
    if execution.state is ExecutionState.PROTECTED:
        return (execution.is_to_be_reduced or execution.is_to_be_updated) and execution.exited_at is None
    entries = ledger.of_leg(Leg.ENTRY)
    if execution.state is ExecutionState.ENTERING and entries and entries[-1].status is OrderStatus.NOT_PLACED:
        return False  # its next try is scheduled
    return not is_watched_for_late_fill(ledger) and not execution.dust_left and execution.exited_at is None


def is_proven_absent(ledger: Ledger) -> bool:
    """Return whether the last entry is proven never to have reached the exchange."""
    entries = ledger.of_leg(Leg.ENTRY)
    return bool(entries) and entries[-1].status is OrderStatus.ABSENT


def is_watched_for_late_fill(ledger: Ledger) -> bool:
    """Return whether the execution has no position, and is open only so that a late fill of its entry is noticed."""
    return ledger.execution.state is ExecutionState.ENTRY_UNKNOWN and is_proven_absent(ledger)
