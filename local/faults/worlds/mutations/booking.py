"""Booking without one of its rules."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any
from unittest import mock

from shared.trading import position_accounting


def without_exchange_closes() -> AbstractContextManager[Any]:
    """Take what the exchange has closed by itself for the owner's doing."""
    return mock.patch.dict(position_accounting._EXCHANGE_CLOSES, clear=True)
