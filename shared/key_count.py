"""Counts a user's keys against the plan's maximum, in the transaction that keeps a new one. Knows no request."""

from __future__ import annotations

from dataclasses import dataclass

from pynamodb.expressions.condition import size
from pynamodb.expressions.update import Action
from pynamodb.transactions import TransactWrite

from shared.models.exchange_key import ExchangeKey
from shared.models.plan import Plan
from shared.models.user import User


@dataclass(frozen=True, slots=True)
class KeyCount:
    """A user's keys as they were read, and how many the plan allows."""

    user_id: str
    ids: frozenset[str]
    counted: bool
    """Whether the user's record has them."""
    maximum: int

    @property
    def is_full(self) -> bool:
        """Whether the plan allows no further key."""
        return len(self.ids) >= self.maximum

    def add(self, transaction: TransactWrite, key_id: str) -> None:
        """Add the write that counts a new key; it fails if the maximum is reached, or the user disabled, by now."""
        if self.counted:
            action: Action = User.api_key_ids.add({key_id})
            room = User.api_key_ids.does_not_exist() | (size(User.api_key_ids) < self.maximum)
        else:
            action = User.api_key_ids.set({*self.ids, key_id})
            room = User.api_key_ids.does_not_exist()
        enabled = User.active == True  # noqa: E712 - a DynamoDB condition, not a comparison
        transaction.update(User(self.user_id), actions=[action], condition=enabled & room)


def count_keys(user_id: str) -> KeyCount:
    """Return the user's keys, read consistently, and the maximum of the user's plan; 0 without a plan."""
    user = User.get(user_id, consistent_read=True)
    plan = Plan.find(user.plan_id) if user.plan_id is not None else None
    # A user whose keys are from before they were counted has had them for long enough to be listed.
    counted = user.api_key_ids is not None
    listed = user.api_key_ids if counted else {found.id for found in ExchangeKey.by_user.query(user_id)}
    present = frozenset(ExchangeKey.find_many(listed or (), consistent=True))
    gone = frozenset(listed or ()) - present
    if counted and gone:
        user.update(actions=[User.api_key_ids.delete(set(gone))])
    return KeyCount(user_id, present, counted, maximum=plan.max_api_key if plan is not None else 0)


def uncount(transaction: TransactWrite, key: ExchangeKey) -> None:
    """Add the write that counts a deleted key no more."""
    transaction.update(User(key.user_id), actions=[User.api_key_ids.delete({key.id})])
