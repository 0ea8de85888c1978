"""Finds the record that a request names by its id. Somebody else's record is not found."""

from __future__ import annotations

from typing import TypeVar

from shared.errors import NotFound
from shared.models.base import Table
from shared.models.exchange_key import ExchangeKey
from shared.models.follower import Follower

M = TypeVar("M", bound=Table)


def find_record(model: type[M], record_id: str, *, noun: str) -> M:
    """Return the record; raise NotFound with `noun` as the record's name."""
    record = model.find(record_id)
    if record is None:
        raise NotFound(f"{noun} {record_id} does not exist")
    return record


def find_own_key(api_key_id: str, *, user_id: str) -> ExchangeKey:
    """Return the user's exchange key; raise NotFound, also for somebody else's."""
    key = find_record(ExchangeKey, api_key_id, noun="exchange key")
    if key.user_id != user_id:
        raise NotFound(f"exchange key {api_key_id} is another user's")
    return key


def find_own_follower(follower_id: str, *, user_id: str) -> Follower:
    """Return the user's follower; raise NotFound, also for somebody else's."""
    follower = Follower.find_by_id(follower_id)
    if follower is None or follower.user_id != user_id:
        raise NotFound(f"follower {follower_id} does not exist, or is another user's")
    return follower
