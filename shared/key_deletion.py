"""Deletes an exchange key with its secret and its followers, unless a position of it is open. Closes nothing.

It happens under the leases of the key's symbols, so that no worker opens a position meanwhile.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from pynamodb.transactions import TransactWrite

from shared.ending_followers import CHANGING, LEASE_WAIT_S, end_follower_under_lease, has_begun, open_executions
from shared.errors import LeaseLost, LockstepError, RecordChanged, ServiceUnavailable
from shared.key_claims import release_all
from shared.key_count import uncount
from shared.models.base import transact
from shared.models.exchange_key import ExchangeKey
from shared.models.execution import Execution
from shared.models.follower import Follower
from shared.models.key_readiness import KeyReadiness
from shared.models.position_slot import PositionSlot
from shared.notifications.notice_types import AccountChange
from shared.notifications.notices import record_change
from shared.observability import count_outcome, logger


class KeyHasPosition(LockstepError):
    """The key has open positions, which only it can reach."""

    def __init__(self, positions: list[Execution]) -> None:
        super().__init__(f"{len(positions)} open position(s)")
        self.positions = positions


def delete_key(key: ExchangeKey) -> None:
    """Delete the key; raise KeyHasPosition, or ServiceUnavailable while a worker trades with it."""
    with _leases_of(key) as followers:
        held = _open_executions(key, followers)
        if held:
            raise KeyHasPosition(held)
        for follower in followers:
            end_follower_under_lease(follower)
        _remove(key)
    record_change(AccountChange.KEY_DELETED, key.name, user_id=key.user_id, cause=key.id)
    logger.info("key_deleted", api_key_id=key.id, user_id=key.user_id, followers=len(followers))
    count_outcome("key_deleted")


def positions_of(key: ExchangeKey) -> list[Execution]:
    """Return what is open through the key; raise ServiceUnavailable while a worker trades with it."""
    with _leases_of(key) as followers:
        return _open_executions(key, followers)


@contextlib.contextmanager
def _leases_of(key: ExchangeKey) -> Iterator[list[Follower]]:
    """Hold the leases of the key's symbols, and return its followers; raise ServiceUnavailable."""
    with contextlib.ExitStack() as leases:
        followers = _followers_of(key)
        slots = PositionSlot.query(key.id, consistent_read=True)
        for symbol in sorted({one.symbol for one in followers} | {slot.symbol for slot in slots}):
            try:
                leases.enter_context(PositionSlot.leased(key.id, symbol, wait_s=LEASE_WAIT_S))
            except LeaseLost as error:
                raise ServiceUnavailable(CHANGING) from error
        yield followers


def _followers_of(key: ExchangeKey) -> list[Follower]:
    found = [(one.strategy_id, one.created_key) for one in Follower.by_key.query(key.id)]
    return list(Follower.find_many(found, consistent=True).values())


def _open_executions(key: ExchangeKey, followers: list[Follower]) -> list[Execution]:
    slots = PositionSlot.query(key.id, consistent_read=True)
    held = Execution.find_many([slot.execution_id for slot in slots if slot.execution_id], consistent=True)
    found = {one.id: one for one in held.values() if one.active and has_begun(one)}
    for follower in followers:
        found |= {one.id: one for one in open_executions(follower)}
    return list(found.values())


def _remove(key: ExchangeKey) -> None:
    def write(transaction: TransactWrite) -> None:
        # Claims are read for this API key; one that was replaced meanwhile has others.
        transaction.delete(key, condition=ExchangeKey.api_key == key.api_key)
        transaction.delete(KeyReadiness(key.id))
        release_all(transaction, key)
        uncount(transaction, key)

    try:
        transact(write)
    except RecordChanged as error:
        if ExchangeKey.find(key.id) is not None:
            raise ServiceUnavailable(CHANGING) from error
