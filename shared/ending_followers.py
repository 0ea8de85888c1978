"""Ends followers: they open nothing any more, and the record goes when nothing of theirs is open. Closes nothing.

A follower is ended under the lease of its key and symbol, so that no worker trades for it meanwhile.
"""

from __future__ import annotations

from itertools import islice

from pynamodb.transactions import TransactWrite

from shared.clock import utc_now
from shared.errors import LeaseLost, RecordChanged, ServiceUnavailable
from shared.models.base import transact
from shared.models.exchange_key import ExchangeKey
from shared.models.execution import Execution
from shared.models.follower import Follower
from shared.models.position_slot import PositionSlot
from shared.models.unique_name import NameKind, UniqueName
from shared.observability import logger
from shared.trading.execution import ExecutionState

LEASE_WAIT_S = 8.0
CHANGING = "positions are changing, please repeat the request"
_RECENT = 100
"""So many of a follower's latest executions are read: it has one position at a time, beside one to be booked."""


def open_executions(follower: Follower) -> list[Execution]:
    """Return the follower's executions that have begun and not ended, the latest first (blocking)."""
    slot = PositionSlot.find(follower.api_key_id, follower.symbol)
    held = [slot.execution_id] if slot is not None and slot.execution_id is not None else []
    listed = Execution.by_follower.query(follower.id, scan_index_forward=False, page_size=_RECENT)
    # One that has left its slot to be booked has been listed for long.
    ids = dict.fromkeys([*held, *(found.id for found in islice(listed, _RECENT))])
    found = Execution.find_many(ids, consistent=True).values()
    return [one for one in found if one.follower_id == follower.id and one.active and has_begun(one)]


def has_begun(execution: Execution) -> bool:
    """Return whether an execution has done more than wait: what waits is denied once its follower or key is gone."""
    return execution.state is not ExecutionState.QUEUED


def end_follower(follower: Follower) -> list[Execution]:
    """Remove a follower, or, while something of it is open, let it open nothing more; return what is open.

    Raise ServiceUnavailable while a worker trades for it.
    """
    try:
        with PositionSlot.leased(follower.api_key_id, follower.symbol, wait_s=LEASE_WAIT_S):
            return end_follower_under_lease(follower)
    except LeaseLost as error:
        raise ServiceUnavailable(CHANGING) from error


def end_follower_under_lease(follower: Follower) -> list[Execution]:
    """Do the same for a caller that holds the lease."""
    still_open = open_executions(follower)
    if not still_open:
        _remove(follower)
        return []
    now = utc_now()
    follower.update_if(
        Follower.id.exists(),
        [Follower.active.set(False), Follower.ended_at.set(Follower.ended_at | now), Follower.updated_at.set(now)],
    )
    logger.info("follower_ended", follower_id=follower.id, open=len(still_open))
    return still_open


def remove_follower_if_ended(execution: Execution) -> None:
    """Remove the follower of an execution that has ended, if its user has ended it and nothing else of it is open."""
    follower = Follower.find(execution.strategy_id, execution.follower_key)
    if follower is not None and follower.ended_at is not None and not open_executions(follower):
        _remove(follower)


def claim_of(follower: Follower, account_alias: str) -> str:
    """Return the key of the claim that lets one follower alone trade an account and symbol."""
    return UniqueName.exact_claim_key(NameKind.FOLLOWED, account_alias, follower.symbol)


def owner_of_claim(follower: Follower) -> str:
    """Return how the claim names its follower: by the whole key, because the index by id may lag behind the claim."""
    return f"{follower.strategy_id}#{follower.created_key}"


def holds(owner_id: str) -> bool:
    """Return whether the follower that a claim names still exists, read consistently (blocking)."""
    strategy_id, _, created_key = owner_id.partition("#")
    return Follower.find(strategy_id, created_key) is not None


def _remove(follower: Follower) -> None:
    key = ExchangeKey.find(follower.api_key_id)
    alias = key.account_alias if key is not None else None
    claim = claim_of(follower, alias) if alias is not None else None
    held = UniqueName.find(claim) if claim is not None else None

    def write(transaction: TransactWrite) -> None:
        transaction.delete(Follower(follower.strategy_id, follower.created_key))
        if claim is not None and held is not None and held.owner_id == owner_of_claim(follower):
            UniqueName.release(transaction, claim, owner_id=held.owner_id)

    try:
        transact(write)
    except RecordChanged:
        _remove(follower)  # another follower, whose claim was free to take, was faster
        return
    logger.info("follower_removed", follower_id=follower.id)
