"""Handles one message: takes the lease, tells new work from begun work, and gives the lease back.

Any message may come any number of times, late, or after another worker's crash. So every step reads the execution's
state first, and goes on from there.
"""

from __future__ import annotations

import asyncio
from typing import assert_never

from pynamodb.exceptions import PynamoDBException

from functions.order_executor import (
    account_cache,
    booking,
    exit_alerts,
    handing_over,
    loss_limits,
    opening,
    recheck,
    reconciling,
    secret_failures,
    waiting,
)
from functions.order_executor.lease import take_lease
from functions.order_executor.ledger import Ledger
from functions.order_executor.opening import TooLate
from shared.clock import utc_now
from shared.errors import (
    ExchangeAuthorizationFailed,
    ExchangeThrottled,
    NotFound,
    SecretUnreadable,
    ServiceUnavailable,
)
from shared.exchange import key_status, lanes
from shared.exchange.futures import FuturesAccount
from shared.messages import Command, OrderMessage, ReconcileMessage, send_reconcile
from shared.models.base import read_together
from shared.models.exchange_key import ExchangeKey
from shared.models.execution import Execution
from shared.models.key_readiness import KeyReadiness
from shared.observability import ATTENTION_NEEDED, count_outcome, logger
from shared.order_dispatch import send_back
from shared.scheduling import RECHECK_S
from shared.trading.execution import DenialReason, Desired, ExecutionState


async def handle(message: OrderMessage, *, lane: str, ends_at_s: float) -> None:
    """Do what a message asks for, as far as it is still to be done. Raise for faults, so that the message is retried.

    `lane` is the one whose executor this is. `ends_at_s` is the monotonic time at which this invocation is cut off.
    """
    lease = await take_lease(message.api_key_id, message.symbol)
    if lease is None:
        # Another worker holds the lease. Should it crash, this message finds the work undone.
        reconcile = ReconcileMessage(message.execution_id)
        await asyncio.to_thread(send_reconcile, reconcile, delay_s=RECHECK_S)
        return
    ledger = account = key = None
    try:
        (execution, key, known), _ = await asyncio.gather(_read(message), lanes.limiter_of(lane).refresh())
        found = Ledger(execution=execution, lease=lease)
        if await _is_over(found) or await handing_over.pass_on(message, key, lane=lane):
            return
        ledger = found
        account = await _open_account(ledger, key, message.command, lane=lane)
        if account is None or key is None:
            return
        known_unfit = known.denial(key, quote=account.margin_asset, now=utc_now()) if known is not None else None
        await _work(ledger, account, message.command, known_unfit=known_unfit, ends_at_s=ends_at_s)
        if recheck.is_needed(ledger):
            await recheck.schedule_recheck(ledger)
    except TooLate:
        await asyncio.to_thread(send_back, message, lane=lane)
    except ExchangeAuthorizationFailed as error:
        if ledger is None:
            raise
        await _end_or_recheck_without_access(ledger, error)
    except ExchangeThrottled as error:
        if ledger is None:
            raise
        await waiting.wait_for_lane(ledger, error, lane=lane)
    finally:
        await asyncio.gather(lease.release(), lanes.flush(), _record_refusal(account, key))


async def _read(message: OrderMessage) -> tuple[Execution, ExchangeKey | None, KeyReadiness | None]:
    """Read under the lease, so that every earlier worker's writes are seen."""
    execution, key, known = await asyncio.to_thread(
        read_together,
        (Execution, message.execution_id, None),
        (ExchangeKey, message.api_key_id, None),
        (KeyReadiness, message.api_key_id, None),
    )
    if execution is None:
        raise NotFound(f"execution {message.execution_id}")
    return execution, key, known


async def _is_over(ledger: Ledger) -> bool:
    execution = ledger.execution
    if execution.active:
        # Many of an exit's followers may be flat: no secret is opened for them, and no lane is asked.
        return _is_queued_exit(execution) and await exit_alerts.end_without_position(ledger)
    # The worker that ended it may have crashed before it did what follows from that.
    await asyncio.to_thread(booking.finish, execution)
    return True


def _is_queued_exit(execution: Execution) -> bool:
    return execution.state is ExecutionState.QUEUED and not execution.opens


async def _end_without_key(ledger: Ledger) -> None:
    """Deny the entry of a key that its user has deleted meanwhile; such a key has no position."""
    if ledger.execution.state is not ExecutionState.QUEUED:
        raise NotFound(f"key {ledger.execution.api_key_id} of execution {ledger.execution.id}")
    await booking.end_without_position(
        ledger, state=ExecutionState.DENIED, reason=DenialReason.KEY_INACTIVE, detail="the key was deleted"
    )


async def _open_account(
    ledger: Ledger, key: ExchangeKey | None, command: Command, *, lane: str
) -> FuturesAccount | None:
    """Return the key's account; None without a key or its secret, when the work has ended or is tried again."""
    if key is None:
        await _end_without_key(ledger)
        return None
    try:
        return await account_cache.account_of(key, symbol=ledger.symbol, lane=lane)
    except (SecretUnreadable, ServiceUnavailable) as error:
        await secret_failures.end_or_retry(ledger, command, error)
        return None


async def _work(
    ledger: Ledger, account: FuturesAccount, command: Command, *, known_unfit: DenialReason | None, ends_at_s: float
) -> None:
    queued = ledger.execution.state is ExecutionState.QUEUED
    if _is_queued_exit(ledger.execution):
        await exit_alerts.carry_out(ledger, account)
        return
    if not queued:
        await asyncio.gather(ledger.load_orders(), lanes.limiter_of(account.lane).refresh())
    match command:
        case Command.OPEN | Command.RECONCILE:
            pass
        case Command.CLOSE:
            if ledger.execution.desired is not Desired.CLOSED:
                await ledger.advance(desired=Desired.CLOSED)
        case _:
            assert_never(command)
    if queued:
        await opening.open_queued(ledger, account, known_unfit=known_unfit, ends_at_s=ends_at_s)
    else:
        async with waiting.admitted(ledger, account.lane):
            await loss_limits.request_close_if_reached(ledger, account)
            await reconciling.reconcile_begun(ledger, account)


async def _record_refusal(account: FuturesAccount | None, key: ExchangeKey | None) -> None:
    """Record on the key, or on its lane, that the exchange refused it; whatever the outcome of the work."""
    refusal = account.take_refusal() if account is not None else None
    if account is None or key is None or refusal is None:
        return
    try:
        await asyncio.to_thread(key_status.record_refusal, key, refusal, lane=account.lane)
    except PynamoDBException as error:
        # The next refusal will be recorded; this message's work is not repeated for it.
        logger.warning("refusal_not_kept", api_key_id=key.id, error=type(error).__name__)


async def _end_or_recheck_without_access(ledger: Ledger, error: ExchangeAuthorizationFailed) -> None:
    """Handle a refused key: deny the entry, or, where a position may be open, alert and try again later."""
    if _is_queued_exit(ledger.execution):
        await exit_alerts.carry_out(ledger, None)
        return
    if ledger.execution.state is ExecutionState.QUEUED:
        await booking.end_without_position(
            ledger, state=ExecutionState.DENIED, reason=DenialReason.KEY_UNAUTHORIZED, detail=str(error)
        )
        return
    logger.error("position_out_of_reach", execution_id=ledger.execution.id, code=error.code)
    count_outcome(ATTENTION_NEEDED)
    await recheck.schedule_recheck(ledger)
