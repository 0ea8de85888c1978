"""The ownership of an exchange account's positions without its rule."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any
from unittest import mock

from shared.models.account_claim import AccountClaim


def without_claims() -> AbstractContextManager[Any]:
    """Let no key's claim on an account hold against another key."""
    return mock.patch.object(AccountClaim, "holds_against", return_value=False)
