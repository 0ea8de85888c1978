"""The admin functions' use cases on the embedded AWS, side by side as Lambda's containers run them.

Below the handlers: a container answers one request at a time, and so does its resolver."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TypeVar

from shared.errors import RequestUnprocessable

T = TypeVar("T")

Fault = tuple[object, object]
"""A fault's `param` and `msg`."""


def all_at_once(work: Callable[[int], T], *, times: int) -> list[T | list[Fault]]:
    """Return what the calls return, or the faults that they raise; they start at the same moment."""
    barrier = Barrier(times)

    def start(number: int) -> T | list[Fault]:
        barrier.wait()
        try:
            return work(number)
        except RequestUnprocessable as error:
            return [(one["param"], one["msg"]) for one in error.faults]

    with ThreadPoolExecutor(times) as pool:
        return list(pool.map(start, range(times)))
