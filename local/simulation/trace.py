"""A digest of what happens in a simulation: every request, message and write, in its order. Keeps none of them."""

from __future__ import annotations

import hashlib


class Trace:
    """Grows with each event; equal for equal simulations."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()

    def record(self, *event: object) -> None:
        """Add an event, whose `repr` must not depend on the process."""
        self._hash.update(repr(event).encode())

    @property
    def digest(self) -> str:
        """The digest of all events so far."""
        return self._hash.hexdigest()[:16]


class NoTrace(Trace):
    """Records nothing, which is faster."""

    def record(self, *event: object) -> None:
        """Drop the event."""
