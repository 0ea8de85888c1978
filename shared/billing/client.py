"""The client of Stripe's library, and its errors as ours. Knows no resource of Stripe's.

Blocking. Never logs Stripe's answers or our key.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from botocore.exceptions import BotoCoreError, ClientError

from shared.config import settings
from shared.errors import ServiceUnavailable
from shared.observability import logger
from shared.process_state import process_cache
from shared.secrets import read_parameter

if TYPE_CHECKING:
    from stripe import StripeClient

UNREACHABLE: Final = "Stripe cannot be reached"
MISSING: Final = "resource_missing"
"""Stripe's code for an id that names nothing."""

# Two attempts fit well into the 29 s that API Gateway waits.
_TIMEOUT_S = 6
_RETRIES = 1


def stripe_client() -> StripeClient:
    """Return this process's client. Loading the library takes 0.2 s of CPU, so that callers import it when used."""
    return _client(read_parameter(settings().stripe_key_parameter), settings().stripe_url)


@process_cache
def _client(key: str, url: str) -> StripeClient:
    from stripe import RequestsClient, StripeClient  # noqa: PLC0415 - see above

    return StripeClient(
        key,
        base_addresses={"api": url} if url else {},
        max_network_retries=_RETRIES,
        http_client=RequestsClient(timeout=_TIMEOUT_S),
    )


@contextmanager
def translate_errors(task: str) -> Iterator[None]:
    """Translate every error of Stripe, or of reading its key, to ServiceUnavailable; `task` is for the log."""
    from stripe import StripeError  # noqa: PLC0415 - see above

    try:
        yield
    except StripeError as error:
        logger.error(
            "stripe_failed",
            task=task,
            error=type(error).__name__,
            status=error.http_status,
            code=error.code,
            stripe_request_id=error.request_id,
        )
        raise ServiceUnavailable(UNREACHABLE) from error
    except (BotoCoreError, ClientError) as error:
        logger.error("stripe_key_unreadable", task=task, error=type(error).__name__)
        raise ServiceUnavailable(UNREACHABLE) from error
