"""What a look through an exchange key does to the key. The one place of the rule for `apiKeyStatus`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from pynamodb.exceptions import UpdateError
from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action

from shared.clock import utc_now
from shared.errors import AccessDenied, ExchangeAuthorizationFailed, ExchangeError, ServiceUnavailable
from shared.models.base import condition_failed
from shared.models.exchange_key import ApiKeyStatus, ExchangeKey
from shared.observability import logger

REFUSED = "exchange API authorization failed"
UNREACHABLE = "exchange cannot be reached"

T = TypeVar("T")


def look_through(key: ExchangeKey, look: Callable[[], T]) -> T:
    """Return what `look` reads with the key, and keep how it went; raise AccessDenied or ServiceUnavailable.

    A refusal clears `active`, and a later success sets it again: inactive keys are tried too. Any other failure leaves
    it alone.
    """
    try:
        seen = look()
    except ExchangeAuthorizationFailed as error:
        _keep(key, ApiKeyStatus.UNAUTHORIZED)
        logger.warning("exchange_key_refused", api_key_id=key.id, code=error.code)
        raise AccessDenied(REFUSED, authenticated=True) from error
    except ExchangeError as error:
        _keep(key, ApiKeyStatus.FAILED)
        logger.warning("exchange_not_reached", api_key_id=key.id, error=type(error).__name__, code=error.code)
        raise ServiceUnavailable(UNREACHABLE) from error
    _keep(key, ApiKeyStatus.AUTHORIZED)
    return seen


async def look_through_async(key: ExchangeKey, look: Awaitable[T]) -> T:
    """Do the same with what a worker waits for on its event loop."""
    found: T | ExchangeError
    try:
        found = await look
    except ExchangeError as error:
        found = error

    def seen() -> T:
        if isinstance(found, ExchangeError):
            raise found
        return found

    return await asyncio.to_thread(look_through, key, seen)


def _keep(key: ExchangeKey, status: ApiKeyStatus) -> None:
    actions: list[Action] = [ExchangeKey.api_key_status.set(status)]
    # Only the key that was looked through: its owner may have changed it meanwhile.
    condition: Condition = ExchangeKey.api_key == key.api_key
    if status is ApiKeyStatus.UNAUTHORIZED and key.active:
        actions += [*key.activation(active=False), ExchangeKey.deactivated_by_refusal.set(True)]
        condition &= ExchangeKey.active == True  # noqa: E712 - a DynamoDB condition, not a comparison
    elif status is ApiKeyStatus.AUTHORIZED and key.deactivated_by_refusal:
        actions += [*key.activation(active=True), ExchangeKey.deactivated_by_refusal.set(False)]
        condition &= ExchangeKey.deactivated_by_refusal == True  # noqa: E712
    elif key.api_key_status is status:
        return
    try:
        key.update(actions=[*actions, ExchangeKey.updated_at.set(utc_now())], condition=condition)
    except UpdateError as error:
        if not condition_failed(error):
            raise
        # Somebody moved the key while the exchange was asked: what they wrote is newer.
        logger.info("exchange_key_changed_meanwhile", api_key_id=key.id)
