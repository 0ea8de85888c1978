"""Reads from the exchange with a key, for an admin or a worker, and records on the key whether it worked."""

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


def read_with_key(key: ExchangeKey, read: Callable[[], T]) -> T:
    """Return what `read` returns, and record its outcome on the key; raise AccessDenied or ServiceUnavailable.

    Inactive keys are tried too: a success puts a key back to use that was refused before.
    """
    try:
        found = read()
    except ExchangeAuthorizationFailed as error:
        key_status.record_refusal(key, error)
        raise AccessDenied(REFUSED, authenticated=True) from error
    except ExchangeError as error:
        key_status.record_failure(key)
        logger.warning("exchange_not_reached", api_key_id=key.id, error=type(error).__name__, code=error.code)
        raise ServiceUnavailable(UNREACHABLE) from error
    key_status.record_success(key)
    return found


async def read_with_key_async(key: ExchangeKey, read: Awaitable[T]) -> T:
    """Do the same as `read_with_key`, with a coroutine on a worker's event loop."""
    outcome: T | ExchangeError
    try:
        outcome = await read
    except ExchangeError as error:
        outcome = error
    finally:
        await lanes.flush()

    def return_or_raise() -> T:
        if isinstance(outcome, ExchangeError):
            raise outcome
        return outcome

    return await asyncio.to_thread(read_with_key, key, return_or_raise)
