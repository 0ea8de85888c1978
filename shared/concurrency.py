"""Runs the calls of one request concurrently, in threads. Knows nothing of what they do."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

MAX_THREADS = 16

A = TypeVar("A")
R = TypeVar("R")


def run_concurrently(work: Callable[[A], R], arguments: Iterable[A]) -> list[R]:
    """Return the results in the order of the arguments; raise the first error once all calls have ended."""
    waiting = list(arguments)
    if len(waiting) <= 1 or MAX_THREADS == 1:
        ended = [_end(work, argument) for argument in waiting]
    else:
        with ThreadPoolExecutor(max_workers=min(MAX_THREADS, len(waiting))) as pool:
            ended = [pool.submit(work, argument) for argument in waiting]
    return [one.result() for one in ended]


def _end(work: Callable[[A], R], argument: A) -> Future[R]:
    ended: Future[R] = Future()
    try:
        ended.set_result(work(argument))
    except Exception as error:  # noqa: BLE001 - raised where the result is asked for
        ended.set_exception(error)
    return ended
