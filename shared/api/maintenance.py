"""Maintenance mode: a parameter that an operator flips without a deploy. Concerns requests, never open positions."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from shared.api.quick_parameters import ParameterMissing, read_quickly
from shared.aws_session import aws_session
from shared.config import settings
from shared.errors import ServiceUnavailable
from shared.process_state import on_reset, process_cache

if TYPE_CHECKING:
    from mypy_boto3_ssm import SSMClient

CACHED_FOR_S = 5.0
"""How long the parameter's value is cached: a flipped switch takes effect within this time."""

_cached: tuple[float, bool] | None = None
"""When the parameter is to be read again, and whether it was on."""


def refuse_during_maintenance() -> None:
    """Raise ServiceUnavailable while maintenance mode is on."""
    if is_maintenance():
        raise ServiceUnavailable("temporarily offline for maintenance")


def set_maintenance(*, on: bool) -> None:
    """Flip the switch, for every function within CACHED_FOR_S; raise ServiceUnavailable if SSM does not take it."""
    name = settings().maintenance_parameter
    try:
        _ssm().put_parameter(Name=name, Type="String", Value="on" if on else "off", Overwrite=True)
    except (BotoCoreError, ClientError) as error:
        raise ServiceUnavailable("the switch cannot be stored") from error
    forget_cached_switch()


@on_reset
def forget_cached_switch() -> None:
    """Make the next request read the parameter again."""
    global _cached  # noqa: PLW0603 - one cached value per process is the point
    _cached = None


def is_maintenance() -> bool:
    """Return whether maintenance mode is on, as this process has read it within CACHED_FOR_S."""
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


@process_cache
def _ssm() -> SSMClient:
    config = Config(connect_timeout=1, read_timeout=3, retries={"total_max_attempts": 3, "mode": "standard"})
    return aws_session().client("ssm", region_name=settings().aws_region, config=config)
