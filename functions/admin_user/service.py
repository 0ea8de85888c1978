"""Finds users for an admin. Knows no HTTP."""

from __future__ import annotations

from shared.api.records import find_record
from shared.models.user import User


def find_user(user_id: str) -> User:
    """Return the user; raise NotFound."""
    return find_record(User, user_id, noun="user")
