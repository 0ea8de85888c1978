"""What a message means in the state that its execution is in. The lease is taken here and given back here.

Any message may come any number of times, late, or after another worker's death: each step begins by reading where
the execution stands, and goes on from there.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from typing import assert_never

from pynamodb.exceptions import PynamoDBException

from functions.order_executor import accounts, booking, opening, settling, waiting
from functions.order_executor.lease import LEASE_S, Lease
from functions.order_executor.opening import TooLate
from functions.order_executor.protecting import ATTENTION
from functions.order_executor.session import ExecutionSession
from shared.errors import ExchangeAuthorizationFailed, ExchangeThrottled, LeaseLost, NotFound
from shared.exchange import key_status, lanes
from shared.messages import Command, OrderMessage, ReconcileMessage, send_orders, send_reconcile
from shared.models.base import read_together
from shared.models.exchange_key import ExchangeKey
from shared.models.execution import Execution
from shared.models.position_slot import PositionSlot
from shared.models.trigger import end_trigger_if_finished
from shared.observability import count_outcome, logger
from shared.scheduling import RECHECK_S
from shared.trading.execution import DenialReason, Desired, ExecutionState
from shared.trading.filters import UNLISTED

_LEASE_WAIT_S = 12.0
_LEASE_POLL_S = 0.2


async def handle(message: OrderMessage, *, ends_at_s: float) -> None:
    """Do what a message asks for, as far as it is still to be done; raise for faults, so that it comes again.

    `ends_at_s` is the monotonic time at which this invocation is cut off.
    """
    lease = await _take_lease(message)
    if lease is None:
        # A living worker is at it. Should it die, the look in a while finds the work undone.
        reconcile = ReconcileMessage(message.execution_id)
        await asyncio.to_thread(send_reconcile, reconcile, delay_s=RECHECK_S)
        return
    session = key = None
    try:
        execution, key = await _read(message)
        if not execution.active:
            # The worker that ended the execution may have crashed before this step.
            await asyncio.to_thread(end_trigger_if_finished, execution.trigger_id)
            return
        session = await _open_trade(execution, key, lease)
        await _work(session, message.command, ends_at_s=ends_at_s)
        if settling.needs_another_look(session):
            await settling.come_back(session)
    except TooLate:
        await asyncio.to_thread(send_orders, [message], delivery=str(uuid.uuid4()))
    except ExchangeAuthorizationFailed as error:
        if session is None:
            raise
        await _without_access(session, error)
    except ExchangeThrottled as error:
        if session is None:
            raise
        await waiting.wait_for_lane(session, error)
    finally:
        await asyncio.gather(lease.release(), lanes.flush(), _keep_refusal(session, key))


async def _read(message: OrderMessage) -> tuple[Execution, ExchangeKey]:
    """Read under the lease: what another worker did before is all there."""
    execution, key = await asyncio.to_thread(
        read_together, (Execution, message.execution_id, None), (ExchangeKey, message.api_key_id, None)
    )
    if execution is None or key is None:
        raise NotFound(f"execution {message.execution_id} or its key {message.api_key_id}")
    return execution, key


async def _take_lease(message: OrderMessage) -> Lease | None:
    """Take the lease, waiting for another worker's; None if that one keeps it."""
    owner = str(uuid.uuid4())
    give_up_at_s = time.monotonic() + _LEASE_WAIT_S
    while True:
        asked_at_s = time.monotonic()
        try:
            slot = await asyncio.to_thread(
                PositionSlot.acquire,
                api_key_id=message.api_key_id,
                symbol=message.symbol,
                owner=owner,
                lease_s=LEASE_S,
            )
        except LeaseLost:
            if asked_at_s >= give_up_at_s:
                return None
            await asyncio.sleep(_LEASE_POLL_S)
        else:
            return Lease(slot=slot, ends_s=asked_at_s + LEASE_S)


async def _open_trade(execution: Execution, key: ExchangeKey, lease: Lease) -> ExecutionSession:
    account = await accounts.account_of(key, symbol=execution.symbol)
    session = ExecutionSession(execution=execution, lease=lease, account=account, filters=UNLISTED)
    if execution.state is not ExecutionState.QUEUED:
        await asyncio.gather(session.load_orders(), lanes.limiter_of(key.egress_lane).refresh())
    return session


async def _ready(session: ExecutionSession) -> None:
    """Learn the symbol's filters, if the lane lets the work go on now.

    What an entry closes first needs no filters, and must go on; the entry asks for them again itself.
    """
    try:
        if session.execution.state is not ExecutionState.QUEUED:
            _leave_weight(session)
        session.filters = await session.account.filters(session.symbol)
    except NotFound:
        pass
    except ExchangeThrottled:
        if session.execution.state is not ExecutionState.QUEUED:
            raise


async def _work(session: ExecutionSession, command: Command, *, ends_at_s: float) -> None:
    match command:
        case Command.OPEN | Command.RECONCILE:
            pass
        case Command.CLOSE:
            if session.execution.desired is not Desired.CLOSED:
                await session.advance(desired=Desired.CLOSED)
        case _:
            assert_never(command)
    await _ready(session)
    if session.execution.state is ExecutionState.QUEUED:
        await opening.open_position(session, ends_at_s=ends_at_s)
    else:
        await settling.settle(session)


async def _keep_refusal(session: ExecutionSession | None, key: ExchangeKey | None) -> None:
    """Keep on the key, or on its lane, that the exchange refused it, whatever became of the work."""
    refusal = session.account.take_refusal() if session is not None else None
    if key is None or refusal is None:
        return
    try:
        await asyncio.to_thread(key_status.record_refusal, key, refusal)
    except PynamoDBException as error:
        # The next refusal is kept; nothing of this message is to be done again for it.
        logger.warning("refusal_not_kept", api_key_id=key.id, error=type(error).__name__)


def _leave_weight(session: ExecutionSession) -> None:
    """Raise ExchangeThrottled in a ban; and for a look that can wait while the lane's weight is nearly used up."""
    limiter, execution = lanes.limiter_of(session.account.lane), session.execution
    limiter.check(reads=False)
    can_wait = execution.state is ExecutionState.PROTECTED and execution.desired is not Desired.CLOSED
    if can_wait and limiter.is_short():
        raise ExchangeThrottled("looks wait while the lane is short of weight", retry_after_s=lanes.next_window_in_s())


async def _without_access(session: ExecutionSession, error: ExchangeAuthorizationFailed) -> None:
    """The exchange refuses the key. Nothing opened: that is the answer. Something open: alarm, and look again."""
    if session.execution.state is ExecutionState.QUEUED:
        await booking.end_without_position(
            session, state=ExecutionState.DENIED, reason=DenialReason.KEY_UNAUTHORIZED, detail=str(error)
        )
        return
    logger.error("position_out_of_reach", execution_id=session.execution.id, code=error.code)
    count_outcome(ATTENTION)
    await settling.come_back(session)
