"""The conditions of a simulation: how long its parts take to answer, and how many containers it has."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Conditions:
    """Delays in seconds of simulated time, and containers."""

    one_way_s: tuple[float, float] = (0.002, 0.035)
    """To the exchange, and back: each at least, and at most."""
    table_s: float = 0.002
    """A request to DynamoDB."""
    queue_s: float = 0.0
    """A request to SQS."""
    threads_overlap: bool = False
    """Whether blocking calls of several threads overlap; otherwise each of them delays everything."""
    containers_per_lane: int | None = None
    """How many containers of the executor a lane has at most; None for as many as it needs."""
    new_containers: float = 0.05
    """The chance that a batch starts a container though one is idle."""


DEFAULT = Conditions()
"""Of the worlds."""
