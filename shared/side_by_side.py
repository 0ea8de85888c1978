"""Runs the reads, writes or messages of one request side by side. Knows nothing of what they do."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

WORKERS = 16

A = TypeVar("A")
R = TypeVar("R")


def run_side_by_side(work: Callable[[A], R], arguments: Iterable[A]) -> list[R]:
    """Return the result for each argument, in their order; the first error is raised when all have ended."""
    waiting = list(arguments)
    if len(waiting) <= 1 or WORKERS == 1:
        return [work(argument) for argument in waiting]
    with ThreadPoolExecutor(max_workers=min(WORKERS, len(waiting))) as pool:
        return list(pool.map(work, waiting))
