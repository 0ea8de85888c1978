"""Maintenance mode: a parameter that an operator flips without a deploy. Concerns requests, never open positions."""

from __future__ import annotations

import time

from shared.api.quick_parameters import ParameterMissing, read_quickly
from shared.config import settings
from shared.errors import ServiceUnavailable
from shared.process_state import on_reset

CACHED_FOR_S = 5.0
"""How long the parameter's value is cached: a flipped switch takes effect within this time."""

_cached: tuple[float, bool] | None = None
"""When the parameter is to be read again, and whether it was on."""


def refuse_during_maintenance() -> None:
    """Raise ServiceUnavailable while maintenance mode is on."""
    if _is_on():
        raise ServiceUnavailable("temporarily offline for maintenance")


@on_reset
def forget_cached_switch() -> None:
    """Make the next request read the parameter again."""
    global _cached  # noqa: PLW0603 - one cached value per process is the point
    _cached = None


def _is_on() -> bool:
    global _cached  # noqa: PLW0603 - one cached value per process is the point
    now = time.monotonic()
    if _cached is not None and _cached[0] > now:
        return _cached[1]
    last_known = _cached[1] if _cached is not None else False
    try:
        value = read_quickly(settings().maintenance_parameter)
    except ParameterMissing:
        value = None
    # If the switch cannot be read, the API must stay up.
    on = last_known if value is None else value.strip().lower() == "on"
    _cached = (now + CACHED_FOR_S, on)
    return on
