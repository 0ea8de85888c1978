"""Sizing without one of its rules."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import replace
from decimal import Decimal
from typing import Any
from unittest import mock

from shared import admission
from shared.trading import risk, sizing
from shared.trading.entry_settings import PROFILE_ALONE
from shared.trading.sizing import SizedOrder


def without_fees() -> AbstractContextManager[Any]:
    """Size an entry as if it cost no fees."""

    def loss(**position: Any) -> Decimal:
        return risk.worst_loss_at_stops(**{**position, "taker_rate": Decimal(0)})

    return mock.patch.object(sizing, "worst_loss_at_stops", loss)


def from_order_price() -> AbstractContextManager[Any]:
    """Size an entry from the alert's price, wherever the market is."""

    def size(**asked: Any) -> SizedOrder:
        def loss(**position: Any) -> Decimal:
            return risk.worst_loss_at_stops(**{**position, "entry_price": asked["signal"].order_price})

        with mock.patch.object(sizing, "worst_loss_at_stops", loss):
            return sizing.size_order(**asked)

    return mock.patch.object(admission, "size_order", size)


def without_own_settings() -> AbstractContextManager[Any]:
    """Size an entry by its profile, whatever the follower has chosen."""

    def size(**asked: Any) -> SizedOrder:
        return sizing.size_order(**{**asked, "rules": replace(asked["rules"], chosen=PROFILE_ALONE)})

    return mock.patch.object(admission, "size_order", size)


def to_the_trigger_alone() -> AbstractContextManager[Any]:
    """Size an entry to the stop's trigger, and not to the worst leg of a limit stop."""

    def loss(**position: Any) -> Decimal:
        trigger, *_ = position["stop_prices"]
        return risk.worst_loss_at_stops(**{**position, "stop_prices": (trigger,)})

    return mock.patch.object(sizing, "worst_loss_at_stops", loss)
