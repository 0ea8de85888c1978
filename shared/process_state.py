"""What a process keeps between invocations (clients, caches, sessions, event loops), and how all of it is dropped.

A container serves many invocations, so modules keep what is slow to make, and what they make depends on the
environment that they find. Each registers how it forgets: a test, or a container restored from a snapshot, calls
`reset()` and goes on as a new process would. Knows nothing of what is kept.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache  # noqa: TID251 - what it caches is registered here
from typing import ParamSpec, TypeVar

_P = ParamSpec("_P")
_T = TypeVar("_T")
_Reset = TypeVar("_Reset", bound=Callable[[], None])

_resets: list[Callable[[], None]] = []
_last_resets: list[Callable[[], None]] = []


def process_cache(function: Callable[_P, _T]) -> Callable[_P, _T]:
    """Keep a function's results for the process, as `functools.cache` does; `reset()` forgets them."""
    cached = cache(function)
    on_reset(cached.cache_clear)
    return cached  # type: ignore[return-value]  # typeshed's wrapper forgets the parameters


def on_reset(reset: _Reset, *, last: bool = False) -> _Reset:
    """Register how a module forgets what it keeps; also a decorator.

    `last` is for what others live on: an event loop closes after the session that was opened on it.
    """
    (_last_resets if last else _resets).append(reset)
    return reset


def reset() -> None:
    """Drop everything that is kept, from the code of one thread while no event loop of the process runs."""
    for one in (*_resets, *_last_resets):
        one()
