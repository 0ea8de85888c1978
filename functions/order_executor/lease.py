"""The lease: the right to write to one account and symbol for a while. No write outlives it."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from pynamodb.exceptions import PynamoDBException

from shared.clock import utc_now
from shared.errors import LeaseLost, OutcomeUnknown
from shared.exchange.futures import Stamp, now_ms
from shared.models.position_slot import PositionSlot
from shared.observability import logger

LEASE_S = 10.0
"""A crashed worker's lease ends about when its dead-man message arrives."""
RECV_WINDOW_MS = 5_000
_RENEW_BELOW_S = 6.0
_MARGIN_MS = 500
_UNANSWERED_MARGIN_MS = 1_000
_POLL_S = 0.25
_TAKE_WITHIN_S = 12.0
"""Longer than LEASE_S, so that a crashed worker's lease ends while we wait."""
_TAKE_POLL_S = 0.2


@dataclass(slots=True)
class Lease:
    """One worker's lease.

    Every write carries a timestamp and a window that end before the lease does. So the exchange refuses a frozen
    worker's late request once another worker may hold the lease.
    """

    slot: PositionSlot
    ends_s: float
    """The monotonic time at which it ends unless it is renewed."""
    _in_flight: int = 0
    _unanswered_until_ms: int = 0
    """By the exchange's clock: until then, a write without an answer may still be carried out."""

    @property
    def left_s(self) -> float:
        """Seconds left, by the clock that shows less: one may have stood still while the container was frozen."""
        by_wall_s = (self.slot.lease_until - utc_now()).total_seconds()
        return min(self.ends_s - time.monotonic(), by_wall_s)

    async def renew_if_short(self) -> None:
        """Renew the lease if it may end during the next request; raise LeaseLost if another worker holds it."""
        if self.left_s >= _RENEW_BELOW_S:
            return
        if not self.ends_s:
            raise LeaseLost("the lease was given back")
        asked_at = time.monotonic()
        try:
            await asyncio.to_thread(self.slot.renew, lease_s=LEASE_S)
        except PynamoDBException:
            # The rest of the lease is still ours, and an exit must not fail with our own tables.
            if self.left_s <= 0:
                raise
            logger.warning("lease_not_renewed", api_key_id=self.slot.api_key_id, symbol=self.slot.symbol)
        else:
            self.ends_s = asked_at + LEASE_S

    async def stamp(self, *, at_most_ms: int = RECV_WINDOW_MS) -> Stamp:
        """Return a timestamp and a window for one write; its window ends before the lease does."""
        await self.renew_if_short()
        left_ms = int(self.left_s * 1000) - _MARGIN_MS
        if left_ms <= 0:
            raise LeaseLost("the lease ended while work was under way")
        return Stamp(timestamp_ms=now_ms(), recv_window_ms=min(at_most_ms, left_ms))

    @contextmanager
    def writing(self, stamp: Stamp) -> Iterator[None]:
        """Count a write in flight; remember until when it may still be carried out if no answer comes."""
        self._in_flight += 1
        try:
            yield
        except (OutcomeUnknown, asyncio.CancelledError):
            self._unanswered_until_ms = max(self._unanswered_until_ms, stamp.expires_ms + _UNANSWERED_MARGIN_MS)
            raise
        finally:
            self._in_flight -= 1

    async def wait_for_unanswered(self) -> None:
        """Wait until no earlier write of ours without an answer can still be carried out."""
        while (left_ms := self._unanswered_until_ms - now_ms()) > 0:
            await self.renew_if_short()
            await asyncio.sleep(min(_POLL_S, left_ms / 1000))

    async def release(self) -> None:
        """Give the lease back; while a write may still be carried out, leave it to end by itself."""
        kept = self._in_flight or self._unanswered_until_ms > now_ms()
        self.ends_s = 0.0  # so that no task left behind writes any more
        if not kept:
            await asyncio.to_thread(self.slot.release)


async def take_lease(api_key_id: str, symbol: str) -> Lease | None:
    """Take the lease on account and symbol, waiting while another worker holds it; None if that worker keeps it."""
    owner = str(uuid.uuid4())
    give_up_at_s = time.monotonic() + _TAKE_WITHIN_S
    while True:
        asked_at_s = time.monotonic()
        try:
            slot = await asyncio.to_thread(
                PositionSlot.acquire, api_key_id=api_key_id, symbol=symbol, owner=owner, lease_s=LEASE_S
            )
        except LeaseLost:
            if asked_at_s >= give_up_at_s:
                return None
            await asyncio.sleep(_TAKE_POLL_S)
        else:
            return Lease(slot=slot, ends_s=asked_at_s + LEASE_S)
