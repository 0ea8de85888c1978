"""Limits the requests of each egress lane: its weight, its pauses, its bans. Sends nothing to the exchange.

The exchange counts weight by address. Each response says how much the address has used; the table `egress_lanes` says
what other containers know. Only entries reserve their weight there first. A 429 pauses the lane's entries, a 418 stops
everything, and a 451 halts the lane's entries until an operator lifts the halt. Transport calls `check` before each
request, and records its outcome here.

Only a ban holds back an exit: the table is read and written in the background, and its failures are only logged.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from pynamodb.exceptions import PynamoDBException

from shared.clock import from_ms, to_ms
from shared.config import settings
from shared.errors import AddressBanned, ExchangeThrottled, OrderRateExceeded
from shared.exchange import weights
from shared.exchange.server_clock import server_clock
from shared.models.egress_lane import EgressLane
from shared.models.trading_switch import TradingSwitch, lane_scope
from shared.observability import count_outcome, logger
from shared.process_state import on_reset

RESTRICTED = "ADDRESS_RESTRICTED"
"""The reason of a halt: the exchange serves nobody at the lane's address."""

DEFAULT_LANE = "lane-1"
"""The lane of requests without a key."""

FUTURES = ""
SPOT = "api"

FRESH_FOR_MS = 1_000
"""How long a container relies on what it last read of a lane."""
_EDGE_MS = 1_000
"""A response this close to the start of a minute may carry the count of the minute before."""
_PROBE_EVERY_MS = 1_000
_PUBLISH_ABOVE_PCT = 5
"""The record is updated when the exchange counts this much more than it, in percent of the limit."""
_SHORT_ABOVE_PCT = 80
_WINDOW_MARGIN_S = 0.5
_SAME_END_MS = 1_000


_limiters: dict[str, LaneLimiter] = {}


def limiter_of(lane: str, pool: str = FUTURES) -> LaneLimiter:
    """Return this process's limiter of a lane; the exchange's other APIs (`sapi`, `api`) count, and ban, apart."""
    name = f"{lane}#{pool}" if pool else lane
    return _limiters.setdefault(name, LaneLimiter(name))


@on_reset
def forget() -> None:
    """Forget everything that is known of every lane (tests)."""
    _limiters.clear()


async def flush() -> None:
    """Finish all background writes; await this before an invocation ends, because the container may be frozen then."""
    await asyncio.gather(*(limiter.flush() for limiter in list(_limiters.values())))


def pool_of(path: str) -> str:
    """Return the pool whose weight a request's path uses up."""
    first = path.lstrip("/").split("/", 1)[0]
    return FUTURES if first == "fapi" else first


def next_window_in_s() -> float:
    """Return the seconds until the exchange's next window for weight has begun."""
    return (weights.WINDOW_MS - server_clock.now_ms() % weights.WINDOW_MS) / 1000 + _WINDOW_MARGIN_S


@dataclass(frozen=True, slots=True)
class Reservation:
    """Weight reserved in one minute."""

    minute: datetime
    weight: int


@dataclass(slots=True)
class LaneLimiter:
    """One lane as this process knows it. Times are the exchange's, in Unix milliseconds."""

    lane: str
    banned_until_ms: int = 0
    _paused_until_ms: int = 0
    _limit: int | None = None
    _reserved: tuple[int, int] = (0, 0)
    """Minute and count of the table's record, as last read."""
    _seen: tuple[int, int] = (0, 0)
    """Minute and count of the exchange, from its latest response."""
    _read_at_ms: int = 0
    _was_read: bool = False
    _refusals: int = 0
    _unwritten: int = 0
    """Refusals that are being written to the table."""
    _refused_until_ms: int = 0
    _probed_at_ms: int = 0
    _restricted: bool = False
    """The last request was answered with 451."""
    _background_tasks: set[asyncio.Task[None]] = field(default_factory=set)

    # -- before and after each request -----------------------------------------------------------------------------

    def check(self, *, reads: bool) -> None:
        """Raise AddressBanned during a ban; after a 429, raise ExchangeThrottled for reads beyond one a second."""
        if not self._is_fresh():
            self._read_at_ms = server_clock.now_ms()
            self._run_in_background(self._read())
        now_ms = server_clock.now_ms()
        if now_ms < self.banned_until_ms:
            raise AddressBanned("banned", retry_after_s=(self.banned_until_ms - now_ms) / 1000)
        if reads and now_ms < self._refused_until_ms:
            if now_ms - self._probed_at_ms < _PROBE_EVERY_MS:
                raise ExchangeThrottled("backing off", retry_after_s=(self._refused_until_ms - now_ms) / 1000)
            self._probed_at_ms = now_ms

    def record_usage(self, used: int, *, asked_at_ms: int) -> None:
        """Record how much weight the exchange has counted in this minute."""
        minute = self._minute_ms()
        if asked_at_ms - _EDGE_MS < minute:
            return
        before = self._seen[1] if self._seen[0] == minute else 0
        self._seen = (minute, max(before, used))

    def record_success(self) -> None:
        """Record that the exchange accepts requests again."""
        self._refused_until_ms = 0
        self._restricted = False

    def record_restriction(self) -> None:
        """Halt the lane's entries after a 451, and alert; exits are still tried."""
        if self._restricted:
            return
        self._restricted = True
        logger.error("lane_restricted", lane=self.lane)
        count_outcome("lane_restricted")
        self._run_in_background(self._halt())

    def record_refusal(self, error: ExchangeThrottled) -> None:
        """Record a 429 or 418, and publish it to the other containers."""
        if isinstance(error, OrderRateExceeded):
            return
        now_ms = server_clock.now_ms()
        until_ms = now_ms + int(error.retry_after_s * 1000)
        self._refusals += 1
        self._probed_at_ms = now_ms
        if isinstance(error, AddressBanned):
            if until_ms <= self.banned_until_ms + _SAME_END_MS:
                return
            self.banned_until_ms = until_ms
            logger.error("lane_banned", lane=self.lane, seconds=round(error.retry_after_s))
            count_outcome("lane_banned")
            self._run_in_background(self._write_until(EgressLane.ban, until_ms))
            return
        self._refused_until_ms = until_ms
        if until_ms > self._paused_until_ms + _SAME_END_MS:
            self._paused_until_ms = until_ms
            logger.warning("lane_paused", lane=self.lane, seconds=round(error.retry_after_s))
            count_outcome("lane_paused")
            self._run_in_background(self._write_until(EgressLane.pause, until_ms))

    # -- entries ---------------------------------------------------------------------------------------------------

    async def reserve(self, weight: int) -> Reservation:
        """Reserve an entry's weight in the exchange's current minute; raise ExchangeThrottled when it must wait."""
        if not self._was_read:
            await self._read()  # the lane's own limit
        for _ in range(2):
            self._check_entries(weight)
            minute_ms = self._minute_ms()
            minute = from_ms(minute_ms)
            seen = self._seen_in(minute_ms)
            record = await asyncio.to_thread(
                EgressLane.reserve, self.lane, minute=minute, weight=weight, cap=self._cap(), seen=seen
            )
            if record is not None:
                self._update_from(record)
                self._check_pauses()
                return Reservation(minute, weight)
            await self._read()
        raise self._weight_exhausted()

    async def release(self, reservation: Reservation) -> None:
        """Undo the reservation of an entry that was denied before it sent a request."""
        await self._write(EgressLane.release, minute=reservation.minute, weight=reservation.weight)

    def is_short(self) -> bool:
        """Return whether so much of this minute's weight is used that requests which can wait should wait."""
        return self._used_in(self._minute_ms()) * 100 > self._weight_limit() * _SHORT_ABOVE_PCT

    # -- the table -------------------------------------------------------------------------------------------------

    async def refresh(self) -> None:
        """Read what other containers know, unless it was read a moment ago; never fails."""
        if not self._is_fresh():
            await self._read()

    async def flush(self) -> None:
        """Finish the background writes, and publish the exchange's count if it is much higher than the record."""
        minute_ms = self._minute_ms()
        seen, reserved = self._seen_in(minute_ms), self._reserved_in(minute_ms)
        if (seen - reserved) * 100 >= self._weight_limit() * _PUBLISH_ABOVE_PCT:
            self._reserved = (minute_ms, seen)
            await self._write(EgressLane.raise_to, minute=from_ms(minute_ms), seen=seen)
        loop = asyncio.get_running_loop()
        waiting = [task for task in self._background_tasks if task.get_loop() is loop]
        if waiting:
            await asyncio.wait(waiting)

    def _run_in_background(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._background_tasks.add(task)
        task.add_done_callback(self._background_tasks.discard)

    async def _read(self) -> None:
        refusals, all_written = self._refusals, not self._unwritten
        self._read_at_ms = server_clock.now_ms()
        with self._logged("lane_not_read"):
            record = await asyncio.to_thread(EgressLane.find, self.lane)
            self._was_read = True
            if all_written and refusals == self._refusals:
                self._paused_until_ms = self.banned_until_ms = 0  # an operator may have lifted them
            if record is not None:
                self._update_from(record)

    async def _write_until(self, write: Callable[..., object], until_ms: int) -> None:
        self._unwritten += 1
        try:
            await self._write(write, until=from_ms(until_ms))
        finally:
            self._unwritten -= 1

    async def _halt(self) -> None:
        with self._logged("lane_not_halted"):
            await asyncio.to_thread(TradingSwitch.halt, lane_scope(self.lane.partition("#")[0]), reason=RESTRICTED)

    async def _write(self, write: Callable[..., object], **values: Any) -> None:
        with self._logged("lane_not_written"):
            await asyncio.to_thread(write, self.lane, **values)

    @contextlib.contextmanager
    def _logged(self, event: str) -> Iterator[None]:
        try:
            yield
        except (PynamoDBException, BotoCoreError, ClientError) as error:
            logger.warning(event, lane=self.lane, error=type(error).__name__)

    def _update_from(self, record: EgressLane) -> None:
        self._read_at_ms = server_clock.now_ms()
        self._limit = record.weight_limit
        if record.minute is not None:
            self._reserved = (to_ms(record.minute), record.used_weight)
        if record.paused_until is not None:
            self._paused_until_ms = max(self._paused_until_ms, to_ms(record.paused_until))
        if record.banned_until is not None:
            self.banned_until_ms = max(self.banned_until_ms, to_ms(record.banned_until))

    def _is_fresh(self) -> bool:
        # By the wall clock: the monotonic one may have stopped while the container was frozen.
        return 0 <= server_clock.now_ms() - self._read_at_ms < FRESH_FOR_MS

    # -- arithmetic ------------------------------------------------------------------------------------------------

    def _minute_ms(self) -> int:
        now_ms = server_clock.now_ms()
        return now_ms - now_ms % weights.WINDOW_MS

    def _seen_in(self, minute_ms: int) -> int:
        return self._seen[1] if self._seen[0] == minute_ms else 0

    def _reserved_in(self, minute_ms: int) -> int:
        return self._reserved[1] if self._reserved[0] == minute_ms else 0

    def _used_in(self, minute_ms: int) -> int:
        return max(self._seen_in(minute_ms), self._reserved_in(minute_ms))

    def _weight_limit(self) -> int:
        return self._limit or settings().lane_weight_per_minute

    def _cap(self) -> int:
        return self._weight_limit() * weights.ENTRY_SHARE_PCT // 100

    def _check_entries(self, weight: int) -> None:
        """Raise if fresh knowledge shows that the entry does not fit: this saves a write to a full lane."""
        self._check_pauses()
        minute_ms = self._minute_ms()
        known = self._used_in(minute_ms) if self._is_fresh() else self._seen_in(minute_ms)
        if known + weight > self._cap():
            raise self._weight_exhausted()

    def _check_pauses(self) -> None:
        now_ms = server_clock.now_ms()
        if now_ms < self.banned_until_ms:
            raise AddressBanned("banned", retry_after_s=(self.banned_until_ms - now_ms) / 1000)
        if now_ms < self._paused_until_ms:
            raise ExchangeThrottled("entries are paused", retry_after_s=(self._paused_until_ms - now_ms) / 1000)

    def _weight_exhausted(self) -> ExchangeThrottled:
        return ExchangeThrottled("the lane's weight is used up", retry_after_s=next_window_in_s())
