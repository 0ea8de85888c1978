"""Maintenance mode: a parameter that an operator flips without a deploy. Concerns requests, never open positions."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from shared.aws_session import aws_session
from shared.config import settings
from shared.errors import ServiceUnavailable
from shared.observability import logger
from shared.process_state import on_reset, process_cache

if TYPE_CHECKING:
    from mypy_boto3_ssm import SSMClient

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
        answer = _ssm().get_parameter(Name=settings().maintenance_parameter)
        on = answer["Parameter"]["Value"].strip().lower() == "on"
    except (BotoCoreError, ClientError) as error:
        # If the switch cannot be read, the API must stay up.
        logger.warning("maintenance_parameter_unreadable", error=type(error).__name__, assumed=last_known)
        on = last_known
    _cached = (now + CACHED_FOR_S, on)
    return on


@process_cache
def _ssm() -> SSMClient:
    # TradingView gives up after three seconds, and the alert has to be stored in that time as well: one short try, then
    # the last known value.
    config = Config(connect_timeout=0.4, read_timeout=0.5, retries={"total_max_attempts": 1})
    return aws_session().client("ssm", region_name=settings().aws_region, config=config)
