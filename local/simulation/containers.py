"""The containers of the order executor. Each belongs to a lane, and has caches of its own, so that two may disagree.

All of them run in this process, on one event loop. What the executor's modules keep for their process is exchanged
before each step of a task whose container is another one than that of the step before.
"""

from __future__ import annotations

import copy
import dataclasses
import random
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import ModuleType
from typing import Any

from functions.order_executor import account_cache
from shared.exchange import lanes, markets, transport
from shared.exchange.server_clock import server_clock

KEPT: tuple[tuple[ModuleType, str], ...] = (
    (account_cache, "_kept"),
    (lanes, "_limiters"),
    (markets, "_symbols"),
    (markets, "_brackets"),
    (markets, "_prices"),
    (transport, "_resync_locks"),
)
"""What each container has for itself, beside its measurement of the exchange's clock."""

_current: ContextVar[Container | None] = ContextVar("container", default=None)


@dataclasses.dataclass(slots=True, eq=False)
class Container:
    """One container; `kept` is what its process keeps, while another container's tasks run."""

    lane: str
    kept: list[Any]


def current_lane() -> str:
    """Return the lane of the container that runs the present task."""
    container = _current.get()
    return container.lane if container is not None else lanes.DEFAULT_LANE


class Containers:
    """Starts containers, and lets invocations use them, one at a time each."""

    def __init__(self, dice: random.Random, *, new_share: float = 0.05) -> None:
        self._dice = dice
        self._new_share = new_share
        self._new = _read()
        self._idle: dict[str, list[Container]] = {}
        self._loaded: Container | None = None
        self.started = 0

    @contextmanager
    def in_use(self, lane: str) -> Iterator[None]:
        """Run an invocation in a container of the lane, one that is idle as a rule; a killed one is not used again."""
        idle = self._idle.get(lane)
        if idle and self._dice.random() >= self._new_share:
            container = idle.pop(self._dice.randrange(len(idle)))
        else:
            container = Container(lane, copy.deepcopy(self._new))
            self.started += 1
        _current.set(container)
        self.load()
        yield
        self._idle.setdefault(lane, []).append(container)

    def replace_idle(self) -> None:
        """Retire the containers that are idle, so that the next invocations find empty caches."""
        self._idle.clear()

    def load(self) -> None:
        """Give the executor's modules what the present task's container keeps."""
        container = _current.get()
        if container is None or container is self._loaded:
            return
        if self._loaded is not None:
            self._loaded.kept = _read()
        _write(container.kept)
        self._loaded = container

    @contextmanager
    def restored(self) -> Iterator[None]:
        """Give the modules back at the end what they keep now."""
        before = _read()
        try:
            yield
        finally:
            _write(before)


def _read() -> list[Any]:
    return [*(getattr(module, name) for module, name in KEPT), dataclasses.astuple(server_clock)]


def _write(kept: list[Any]) -> None:
    *values, clock = kept
    for (module, name), value in zip(KEPT, values, strict=True):
        setattr(module, name, value)
    for field, value in zip(dataclasses.fields(server_clock), clock, strict=True):
        setattr(server_clock, field.name, value)
