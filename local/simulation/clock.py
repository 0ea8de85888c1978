"""Simulated time: a clock that moves only when every task waits, and an event loop that runs on it."""

from __future__ import annotations

import asyncio
import random
import selectors
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, nullcontext
from contextvars import Context
from dataclasses import dataclass
from typing import Any
from unittest import mock

MAIN_THREAD = threading.main_thread()
_real_sleep = time.sleep
_RESOLUTION_S = 1e-6


class Stalled(Exception):
    """A deadlock: tasks wait, and no timer is due."""


@dataclass(slots=True)
class Apart:
    """The time that has passed for one block alone."""

    seconds: float = 0.0


class SimulatedClock:
    """Monotonic and wall-clock time of one simulation."""

    def __init__(self, *, wall_s: int) -> None:
        self._wall_ns = wall_s * 1_000_000_000
        self._passed_ns = 0
        self._apart_ns: int | None = None

    def monotonic(self) -> float:
        """Return the monotonic time in seconds, which does not start at 0."""
        return self.monotonic_ns() / 1e9

    def monotonic_ns(self) -> int:
        """Return the monotonic time in nanoseconds."""
        return 1_000 * 1_000_000_000 + self._passed_ns + (self._apart_ns or 0)

    def time_ns(self) -> int:
        """Return the Unix time in nanoseconds."""
        return self._wall_ns + self._passed_ns + (self._apart_ns or 0)

    def time(self) -> float:
        """Return the Unix time in seconds."""
        return self.time_ns() / 1e9

    def sleep(self, seconds: float) -> None:
        """Advance the clock in place of `time.sleep`; threads of libraries sleep for real."""
        if threading.current_thread() is MAIN_THREAD:
            self.advance(seconds)
        else:
            _real_sleep(seconds)

    def advance(self, seconds: float) -> None:
        """Advance the clock."""
        # The clock must reach a timer that is a fraction of a nanosecond away.
        by_ns = max(int(seconds * 1e9), 1) if seconds > 0 else 0
        if self._apart_ns is None:
            self._passed_ns += by_ns
        else:
            self._apart_ns += by_ns

    @contextmanager
    def apart(self) -> Iterator[Apart]:
        """Let time pass for the block alone, as for one thread among others; yield how much it was, at the end."""
        apart, self._apart_ns = Apart(), 0
        try:
            yield apart
        finally:
            apart.seconds, self._apart_ns = self._apart_ns / 1e9, None

    @contextmanager
    def everywhere(self) -> Iterator[None]:
        """Patch the time functions of this process."""
        with (
            mock.patch.object(time, "monotonic", self.monotonic),
            mock.patch.object(time, "monotonic_ns", self.monotonic_ns),
            mock.patch.object(time, "time", self.time),
            mock.patch.object(time, "time_ns", self.time_ns),
            mock.patch.object(time, "sleep", self.sleep),
        ):
            yield


class _TimersOnly(selectors.DefaultSelector):
    """Where the loop would block until its next timer, advances the clock to it; watches no file."""

    def __init__(self, clock: SimulatedClock) -> None:
        super().__init__()
        self._clock = clock

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise Stalled
        self._clock.advance(timeout)
        return []


class SimulatedLoop(asyncio.SelectorEventLoop):
    """An event loop on simulated time, which runs in itself what is meant for a thread.

    `before_step` is called before each step of a task, in that task's context. With `threads_overlap` the time that
    passes in one thread passes for nobody else.
    """

    def __init__(
        self,
        clock: SimulatedClock,
        *,
        dice: random.Random,
        before_step: Callable[[], None] | None = None,
        threads_overlap: bool = False,
    ) -> None:
        self._clock = clock
        self._dice = dice
        self._before_step = before_step
        self._threads_overlap = threads_overlap
        super().__init__(_TimersOnly(clock))
        # A timer is due within the loop's resolution. Months from its start, two neighbouring floats lie further apart
        # than the resolution of the machine's clock, and a timer that is due right now would never run.
        self._clock_resolution = _RESOLUTION_S

    def call_soon(  # type: ignore[override]  # typeshed ties the callback's parameters to `args`
        self, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        """Schedule a callback, which is a task's next step as a rule."""
        return super().call_soon(self._step(callback), *args, context=context)

    def call_at(  # type: ignore[override]  # see above
        self, when: float, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Schedule a callback at a time of the loop."""
        return super().call_at(when, self._step(callback), *args, context=context)

    def _step(self, callback: Callable[..., Any]) -> Callable[..., Any]:
        before = self._before_step
        if before is None:
            return callback

        def step(*args: Any) -> Any:
            before()
            return callback(*args)

        return step

    def time(self) -> float:
        """Return the loop's time."""
        return self._clock.monotonic()

    def run_in_executor(  # type: ignore[override]
        self, executor: object, func: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        """Run a blocking call a little later, so that other tasks run in between, as with threads."""
        del executor
        future: asyncio.Future[Any] = self.create_future()

        def run() -> None:
            if future.cancelled():
                return
            outcome, took_s = self._run_blocking(func, args)
            if took_s:
                self.call_later(took_s, _settle, future, outcome)
            else:
                _settle(future, outcome)

        self.call_later(self._dice.uniform(0.0005, 0.004), run)
        return future

    def _run_blocking(self, func: Callable[..., Any], args: tuple[Any, ...]) -> tuple[Future[Any], float]:
        """Run a call; return its outcome, and how many seconds of its own it took."""
        outcome: Future[Any] = Future()
        with self._clock.apart() if self._threads_overlap else nullcontext(Apart()) as apart:
            try:
                outcome.set_result(func(*args))
            except BaseException as error:  # noqa: BLE001 - raised where the call is awaited
                outcome.set_exception(error)
        return outcome, apart.seconds


def _settle(future: asyncio.Future[Any], outcome: Future[Any]) -> None:
    if future.cancelled():
        return
    error = outcome.exception()
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(outcome.result())
