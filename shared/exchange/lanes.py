"""Limits the requests of each egress lane: its weight, its pauses, its bans. Sends nothing to the exchange.

The exchange counts weight by address. Each response says how much the address has used; the table `egress_lanes` says
what other containers know, and what admitted work still holds. Work asks `admit` before it begins (`gate.py` has the
rule). A 429 pauses the lane's entries, a 418 stops everything, and a 451 halts the lane's entries until an operator
lifts the halt. Transport calls `check` before each request, and records its outcome here.

Only a ban holds back a position without a stop: it never asks, and the table's failures are only logged.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from pynamodb.exceptions import PynamoDBException

from shared.clock import from_ms, to_ms
from shared.errors import AddressBanned, ExchangeThrottled, OrderRateExceeded, WeightExhausted
from shared.exchange import gate, weights
from shared.exchange.lane_weight import LaneWeight, present_minute
from shared.exchange.server_clock import server_clock
from shared.models.egress_lane import EgressLane, Minute
from shared.models.trading_switch import TradingSwitch, lane_scope
from shared.observability import count_outcome, logger
from shared.process_state import on_reset
from shared.trading.lane_choice import FIRST_LANE

RESTRICTED = "ADDRESS_RESTRICTED"
"""The reason of a halt: the exchange serves nobody at the lane's address."""

DEFAULT_LANE = FIRST_LANE
"""The lane of public requests, and of all requests that are not an order's."""

FUTURES = ""
SPOT = "api"

FRESH_FOR_MS = 1_000
"""How long a container relies on what it last read of a lane."""
_PROBE_EVERY_MS = 1_000
_POLL_S = 0.2
"""How often waiting work asks again whether others have given weight back."""
_BACKGROUND_PATIENCE_S = 5.0
_HELD_WAIT_S = 2.0
"""After so long it is worth asking again where all the weight is held by others."""
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


@contextlib.asynccontextmanager
async def background_work(lane: str, weight: int, *, pool: str = FUTURES) -> AsyncIterator[None]:
    """Hold a lane's weight for a balance, an import or an inspection; raise ExchangeThrottled when it must wait.

    It stands back before looks, entries and exits do. The caller's message is delivered again later.
    """
    limiter = limiter_of(lane, pool)
    hold = await limiter.admit(gate.Request(gate.Work.BACKGROUND, weight), patience_s=_BACKGROUND_PATIENCE_S)
    try:
        yield
    finally:
        hold.release()
        await limiter.flush()


def pool_of(path: str) -> str:
    """Return the pool whose weight a request's path uses up."""
    first = path.lstrip("/").split("/", 1)[0]
    return FUTURES if first == "fapi" else first


def next_window_in_s() -> float:
    """Return the seconds until the exchange's next window for weight has begun."""
    return (weights.WINDOW_MS - server_clock.now_ms() % weights.WINDOW_MS) / 1000 + _WINDOW_MARGIN_S


@dataclass(slots=True)
class Hold:
    """The weight that a lane holds for admitted work, until it is released; 0 where there is no record of it.

    As a context it is released at the end.
    """

    limiter: LaneLimiter
    minute: Minute
    weight: int

    def __enter__(self) -> Hold:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def release(self) -> None:
        """Give the weight back, in the background: what was used of it, the exchange has counted. Twice is as once."""
        weight, self.weight = self.weight, 0
        if weight:
            self.limiter.give_back(self.minute, weight)


@dataclass(slots=True)
class LaneLimiter:
    """One lane as this process knows it. Times are the exchange's, in Unix milliseconds."""

    lane: str
    banned_until_ms: int = 0
    _paused_until_ms: int = 0
    weight: LaneWeight = field(default_factory=LaneWeight)
    _waiting: list[gate.Request] = field(default_factory=list)
    """Work of this process that has asked and was not admitted yet."""
    _read_at_ms: int = 0
    _was_read: bool = False
    _refusals: int = 0
    _unwritten: int = 0
    """Refusals that are being written to the table."""
    _refused_until_ms: int = 0
    _probed_at_ms: int = 0
    _restricted: bool = False
    """The last request was answered with 451."""
    _halting: asyncio.Task[None] | None = None
    """The write of the halt that followed, until it has failed; then it is None again."""
    _background_tasks: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def banned_until(self) -> datetime | None:
        """When the ban of the lane ends, as far as this process knows; None while it is not banned."""
        return from_ms(self.banned_until_ms) if server_clock.now_ms() < self.banned_until_ms else None

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
        self.weight.record_usage(used, asked_at_ms=asked_at_ms)

    def record_success(self) -> None:
        """Record that the exchange accepts requests again."""
        self._refused_until_ms = 0
        self._restricted, self._halting = False, None

    def record_restriction(self) -> None:
        """Halt the lane's entries after a 451, and alert; exits are still tried.

        A halt that could not be written is written again with the next 451, or when the invocation ends.
        """
        if not self._restricted:
            self._restricted = True
            logger.error("lane_restricted", lane=self.lane)
            count_outcome("lane_restricted")
        self._halt_if_needed()

    def _halt_if_needed(self) -> None:
        if self._restricted and self._halting is None:
            self._halting = self._run_in_background(self._halt())

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

    # -- admission -------------------------------------------------------------------------------------------------

    async def admit(self, request: gate.Request, *, patience_s: float = 0.0) -> Hold:
        """Hold the weight of work that begins now; raise ExchangeThrottled when it must wait.

        For up to `patience_s` it waits here for others to give weight back. A close that the table's failure hinders
        goes without a hold; other work raises the table's error.
        """
        if not self._was_read:
            await self._read()  # the lane's own limit
        until_s = time.monotonic() + patience_s
        self._waiting.append(request)
        try:
            while True:
                hold = await self._try_admit(request)
                if hold is not None:
                    return hold
                budget = self.weight.budget()
                if gate.needs_next_window(budget, request):
                    raise WeightExhausted("the lane's weight is used up", retry_after_s=next_window_in_s())
                if time.monotonic() + _POLL_S > until_s:
                    retry_after_s = min(_HELD_WAIT_S, next_window_in_s())
                    raise WeightExhausted("the lane's weight is held by others", retry_after_s=retry_after_s)
                await asyncio.sleep(_POLL_S)
                await self.refresh()
        finally:
            self._waiting.remove(request)

    async def _try_admit(self, request: gate.Request) -> Hold | None:
        self._check_pauses(request.work)
        # By what is known to be fresh: this saves a write to a full lane.
        budget = self.weight.budget(with_record=self._is_fresh())
        if not any(self._waiting[number] is request for number in gate.who_goes(budget, self._waiting)):
            return None
        minute, cap = present_minute(), budget.cap(request.work)
        try:
            record = await asyncio.to_thread(
                EgressLane.hold, self.lane, minute=minute, weight=request.weight, cap=cap, seen=self.weight.seen
            )
        except (PynamoDBException, BotoCoreError, ClientError) as error:
            if request.work is not gate.Work.CLOSE:
                raise
            logger.warning("close_without_hold", lane=self.lane, error=type(error).__name__)
            return Hold(self, minute, 0)
        if record is None:
            await self._read()
            return None
        self._update_from(record)
        hold = Hold(self, minute, request.weight)
        try:
            self._check_pauses(request.work)
        except ExchangeThrottled:
            hold.release()
            raise
        return hold

    def is_quiet(self) -> bool:
        """Return whether the lane has so little to do that work which can wait need not."""
        return gate.is_quiet(self.weight.budget())

    def give_back(self, minute: Minute, weight: int) -> None:
        """Release weight that was held since a minute, and publish what the exchange has counted by now.

        In a minute's first second this waits while that count is not known: what was used would be taken for free.
        """
        self._run_in_background(self._give_back(minute, weight))

    async def _give_back(self, minute: Minute, weight: int) -> None:
        await asyncio.sleep(self.weight.uncounted_for_s())
        with self._logged("lane_not_written"):
            record = await asyncio.to_thread(
                EgressLane.release,
                self.lane,
                minute=minute,
                weight=weight,
                present=present_minute(),
                seen=self.weight.seen,
            )
            if record is not None:
                self.weight.update_from(record)

    # -- the table -------------------------------------------------------------------------------------------------

    async def refresh(self) -> None:
        """Read what other containers know, unless it was read a moment ago; never fails."""
        if not self._is_fresh():
            await self._read()

    async def flush(self) -> None:
        """Finish the background writes, and publish the exchange's count if it is much higher than the record."""
        await self._finish_background_tasks()
        if self._restricted and self._halting is None:
            self._halt_if_needed()
            await self._finish_background_tasks()
        if self.weight.is_worth_publishing():
            seen = self.weight.seen
            with self._logged("lane_not_written"):
                record = await asyncio.to_thread(EgressLane.raise_to, self.lane, minute=present_minute(), seen=seen)
                if record is not None:
                    self.weight.update_from(record)

    async def _finish_background_tasks(self) -> None:
        loop = asyncio.get_running_loop()
        waiting = [task for task in self._background_tasks if task.get_loop() is loop]
        if waiting:
            await asyncio.wait(waiting)

    def _run_in_background(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._background_tasks.add(task)
        task.add_done_callback(self._background_tasks.discard)
        return task

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
        written = False
        try:
            with self._logged("lane_not_halted"):
                await asyncio.to_thread(TradingSwitch.halt, lane_scope(self.lane.partition("#")[0]), reason=RESTRICTED)
                written = True
        finally:
            if not written:
                self._halting = None

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
        self.weight.update_from(record)
        if record.paused_until is not None:
            self._paused_until_ms = max(self._paused_until_ms, to_ms(record.paused_until))
        if record.banned_until is not None:
            self.banned_until_ms = max(self.banned_until_ms, to_ms(record.banned_until))

    def _is_fresh(self) -> bool:
        # By the wall clock: the monotonic one may have stopped while the container was frozen.
        return 0 <= server_clock.now_ms() - self._read_at_ms < FRESH_FOR_MS

    def _check_pauses(self, work: gate.Work) -> None:
        now_ms = server_clock.now_ms()
        if now_ms < self.banned_until_ms:
            raise AddressBanned("banned", retry_after_s=(self.banned_until_ms - now_ms) / 1000)
        if now_ms < self._paused_until_ms and work is not gate.Work.CLOSE:
            raise ExchangeThrottled(f"{work} is paused", retry_after_s=(self._paused_until_ms - now_ms) / 1000)
