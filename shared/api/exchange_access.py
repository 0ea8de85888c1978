"""What a look through an exchange key comes to, for an admin or a worker, and that the key keeps how it went."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from shared.errors import AccessDenied, ExchangeAuthorizationFailed, ExchangeError, ServiceUnavailable
from shared.exchange import key_status, lanes
from shared.models.exchange_key import ExchangeKey
from shared.observability import logger

REFUSED = "exchange API authorization failed"
UNREACHABLE = "exchange cannot be reached"

T = TypeVar("T")


def look_through(key: ExchangeKey, look: Callable[[], T]) -> T:
    """Return what `look` reads with the key, and keep how it went; raise AccessDenied or ServiceUnavailable.

    Inactive keys are tried too: a success brings back what a refusal took out of use.
    """
    try:
        seen = look()
    except ExchangeAuthorizationFailed as error:
        key_status.record_refusal(key, error)
        raise AccessDenied(REFUSED, authenticated=True) from error
    except ExchangeError as error:
        key_status.record_failure(key)
        logger.warning("exchange_not_reached", api_key_id=key.id, error=type(error).__name__, code=error.code)
        raise ServiceUnavailable(UNREACHABLE) from error
    key_status.record_success(key)
    return seen


async def look_through_async(key: ExchangeKey, look: Awaitable[T]) -> T:
    """Do the same with what a worker waits for on its event loop."""
    found: T | ExchangeError
    try:
        found = await look
    except ExchangeError as error:
        found = error
    finally:
        await lanes.flush()

    def seen() -> T:
        if isinstance(found, ExchangeError):
            raise found
        return found

    return await asyncio.to_thread(look_through, key, seen)
