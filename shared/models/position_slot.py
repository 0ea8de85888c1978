"""Table `position_slots`: which execution has an account's position on a symbol, and which worker holds the lease."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from pynamodb.attributes import UnicodeAttribute

from shared.clock import utc_now
from shared.errors import LeaseLost
from shared.models.attributes import DecimalAttribute, IntegerAttribute, TimeAttribute
from shared.models.base import Table, TableName, conditional_write

NEVER = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
_SHORT_LEASE_S = 10.0
_POLL_S = 0.2


class PositionSlot(Table):
    """One account and symbol. The lease locks it; the `fence` rises with each lease, so an old holder's writes fail."""

    class Meta:
        table_name = TableName("position_slots")

    api_key_id = UnicodeAttribute(hash_key=True)
    symbol = UnicodeAttribute(range_key=True)
    follower_id = UnicodeAttribute(null=True)
    execution_id = UnicodeAttribute(null=True)
    """The execution that has, or is about to have, the position; None without a position."""
    quantity = DecimalAttribute(null=True)
    """Our base amount, never negative; the execution has the side."""
    lease_owner = UnicodeAttribute(null=True)
    lease_until = TimeAttribute(default=NEVER)
    fence = IntegerAttribute(default=0)
    updated_at = TimeAttribute(default=NEVER)

    @classmethod
    def acquire(cls, *, api_key_id: str, symbol: str, owner: str, lease_s: float) -> PositionSlot:
        """Take the lease for `lease_s` seconds and raise the fence; raise LeaseLost while another worker holds it."""
        now = utc_now()
        slot = cls(api_key_id, symbol)
        with conditional_write(otherwise=LeaseLost(f"{api_key_id} {symbol} is held by another worker")):
            slot.update(
                actions=[
                    cls.lease_owner.set(owner),
                    cls.lease_until.set(now + timedelta(seconds=lease_s)),
                    cls.fence.add(1),
                    cls.updated_at.set(now),
                ],
                condition=cls.lease_owner.does_not_exist() | (cls.lease_owner == owner) | (cls.lease_until < now),
            )
        return slot

    @classmethod
    @contextmanager
    def leased(cls, api_key_id: str, symbol: str, *, wait_s: float) -> Iterator[PositionSlot]:
        """Hold the lease for a change of our own records, during which no worker trades; blocking.

        Raise LeaseLost when a worker keeps it for `wait_s`.
        """
        owner, give_up_at_s = str(uuid.uuid4()), time.monotonic() + wait_s
        while True:
            try:
                slot = cls.acquire(api_key_id=api_key_id, symbol=symbol, owner=owner, lease_s=_SHORT_LEASE_S)
                break
            except LeaseLost:
                if time.monotonic() >= give_up_at_s:
                    raise
                time.sleep(_POLL_S)
        try:
            yield slot
        finally:
            slot.release()

    def renew(self, *, lease_s: float) -> None:
        """Extend the lease by `lease_s` seconds from now; raise LeaseLost if another worker has taken it."""
        now = utc_now()
        with conditional_write(otherwise=LeaseLost(f"{self.api_key_id} {self.symbol} was taken over")):
            self.update(
                actions=[PositionSlot.lease_until.set(now + timedelta(seconds=lease_s))],
                condition=(PositionSlot.lease_owner == self.lease_owner) & (PositionSlot.fence == self.fence),
            )

    def release(self) -> None:
        """Release the lease, unless another worker has taken it."""
        with conditional_write():
            self.update(
                actions=[PositionSlot.lease_owner.remove(), PositionSlot.lease_until.set(NEVER)],
                condition=(PositionSlot.lease_owner == self.lease_owner) & (PositionSlot.fence == self.fence),
            )
