"""Tells for which purpose the product sends a request: by the modules of the executor that wait for it.

The product need not say so. A task inherits the purpose of the one that started it.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Coroutine, Generator, Iterator
from contextvars import Context, ContextVar
from enum import StrEnum
from types import FrameType
from typing import Any

_PACKAGES = ("functions.", "shared.admission")


class Purpose(StrEnum):
    """What the weight of a request is used for."""

    BOOKING = "booking"
    CLOSE = "close"
    PROTECTION = "protection"
    ENTRY = "entry"
    LOOK = "look"
    OTHER = "other"


_ORDER = (Purpose.BOOKING, Purpose.CLOSE, Purpose.PROTECTION, Purpose.ENTRY, Purpose.LOOK, Purpose.OTHER)
"""The first that applies counts: a close within an opposite alert's entry is a close."""

_MODULES = {
    "booking": Purpose.BOOKING,
    "ending": Purpose.BOOKING,
    "closing": Purpose.CLOSE,
    "prior_position": Purpose.CLOSE,
    "protecting": Purpose.PROTECTION,
    "stops": Purpose.PROTECTION,
    "targets": Purpose.PROTECTION,
    "refitting": Purpose.PROTECTION,
    "opening": Purpose.ENTRY,
    "entering": Purpose.ENTRY,
    "entry_outcome": Purpose.ENTRY,
    "admission": Purpose.ENTRY,
    "reconciling": Purpose.LOOK,
    "open_position": Purpose.LOOK,
    "position_watcher": Purpose.LOOK,
}
_CLOSES = ("reconciling", "_close")
"""The function that closes a position, and reads how that ended."""

_inherited: ContextVar[Purpose] = ContextVar("purpose", default=Purpose.OTHER)


def present() -> Purpose:
    """Return the purpose of the running task's next request."""
    found = {_inherited.get(), *_of_frames()}
    return next(purpose for purpose in _ORDER if purpose in found)


def _of_frames() -> Iterator[Purpose]:
    frame: FrameType | None = sys._getframe(2)
    while frame is not None:
        name = frame.f_globals.get("__name__", "")
        if name.startswith(_PACKAGES):
            module = next((part for part in reversed(name.split(".")) if part in _MODULES), "")
            if (module, frame.f_code.co_name) == _CLOSES:
                yield Purpose.CLOSE
            elif module:
                yield _MODULES[module]
        frame = frame.f_back


def start_task(
    loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, Any] | Generator[Any, None, Any], **how: Any
) -> asyncio.Task[Any]:
    """Start a task that inherits the purpose of the running one (a task factory of asyncio)."""
    context: Context | None = how.pop("context", None)
    token = _inherited.set(present())
    try:
        return asyncio.Task(work, loop=loop, context=context, **how)
    finally:
        _inherited.reset(token)
