"""Reads SSM parameters while a client waits who gives up after three seconds: one short try, and then a pause."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from shared.aws_session import aws_session
from shared.config import settings
from shared.observability import logger
from shared.process_state import on_reset, process_cache

if TYPE_CHECKING:
    from mypy_boto3_ssm import SSMClient

PAUSE_S: Final = 5.0
"""How long nothing is read after SSM has not answered: a request that needs two parameters waits for one time-out."""

_paused_until = 0.0
"""Until when nothing is read, because SSM has not answered."""

_refused_until: dict[str, float] = {}
"""Until when a parameter is not read, because SSM has refused it: too many requests, or no right."""


class ParameterMissing(Exception):
    """SSM has answered that there is no parameter of this name."""


def read_quickly(name: str) -> str | None:
    """Return a parameter's value, or None where it cannot be read now; raise ParameterMissing where there is none."""
    global _paused_until  # noqa: PLW0603 - one pause per process is the point
    if time.monotonic() < max(_paused_until, _refused_until.get(name, 0.0)):
        return None
    try:
        return _ssm().get_parameter(Name=name, WithDecryption=True)["Parameter"]["Value"]
    except ClientError as error:
        code = error.response["Error"]["Code"]
        logger.warning("parameter_unreadable", parameter=name, error=code)
        if code == "ParameterNotFound":
            raise ParameterMissing(name) from error
        # SSM has answered, so the next parameter costs no time-out.
        _refused_until[name] = time.monotonic() + PAUSE_S
    except BotoCoreError as error:
        logger.warning("parameter_unreadable", parameter=name, error=type(error).__name__)
        _paused_until = time.monotonic() + PAUSE_S
    return None


@on_reset
def end_pause() -> None:
    """Let the next read go to SSM."""
    global _paused_until  # noqa: PLW0603 - one pause per process is the point
    _paused_until = 0.0
    _refused_until.clear()


@process_cache
def _ssm() -> SSMClient:
    # The alert has to be stored within TradingView's three seconds as well.
    config = Config(connect_timeout=0.4, read_timeout=0.5, retries={"total_max_attempts": 1})
    return aws_session().client("ssm", region_name=settings().aws_region, config=config)
