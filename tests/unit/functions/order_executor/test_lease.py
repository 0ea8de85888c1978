"""No write outlives its lease, whatever the container's clocks have done meanwhile."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta

import pytest

from functions.order_executor import lease as module
from functions.order_executor.lease import LEASE_S, RECV_WINDOW_MS, Lease
from shared.clock import to_ms, utc_now
from shared.errors import LeaseLost
from shared.models.position_slot import PositionSlot

pytestmark = pytest.mark.usefixtures("tables")


def acquired(owner: str = "a worker") -> Lease:
    slot = PositionSlot.acquire(api_key_id="key", symbol="BTC/USDT", owner=owner, lease_s=LEASE_S)
    return Lease(slot=slot, ends_s=time.monotonic() + LEASE_S)


def test_write_is_refused_by_the_exchange_before_the_lease_ends() -> None:
    lease = acquired()

    stamp = asyncio.run(lease.stamp())

    assert stamp.recv_window_ms == RECV_WINDOW_MS
    assert stamp.expires_ms < to_ms(lease.slot.lease_until)


def test_worker_that_was_frozen_while_another_took_over_writes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    lease = acquired()
    thawed_at = utc_now() + timedelta(seconds=LEASE_S + 1)  # its other clock stood still meanwhile
    monkeypatch.setattr(module, "utc_now", lambda: thawed_at)
    monkeypatch.setattr("shared.models.position_slot.utc_now", lambda: thawed_at)
    acquired("another worker")

    with pytest.raises(LeaseLost):
        asyncio.run(lease.stamp())


def test_worker_that_was_frozen_alone_renews_first(monkeypatch: pytest.MonkeyPatch) -> None:
    lease = acquired()
    thawed_at = utc_now() + timedelta(seconds=LEASE_S + 1)
    monkeypatch.setattr(module, "utc_now", lambda: thawed_at)
    monkeypatch.setattr("shared.models.position_slot.utc_now", lambda: thawed_at)

    asyncio.run(lease.stamp())

    assert lease.slot.lease_until == thawed_at + timedelta(seconds=LEASE_S)


def test_lease_that_was_given_back_writes_nothing() -> None:
    lease = acquired()

    async def after_release() -> None:
        await lease.release()
        await lease.stamp()

    with pytest.raises(LeaseLost):
        asyncio.run(after_release())
