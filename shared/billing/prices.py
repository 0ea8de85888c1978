"""Looks up and creates prices at Stripe. Stores nothing of ours.

Blocking. Raises ServiceUnavailable for every error of Stripe; never logs its answers or our key.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
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

# Two attempts fit well into the 29 s that API Gateway waits.
_TIMEOUT_S = 6
_RETRIES = 1
_CENTS = 100
_MISSING = "resource_missing"


def price_exists(price_id: str) -> bool:
    """Return whether a price exists at Stripe."""
    # Loading the library takes 0.2 s of CPU, which listing plans does not need.
    from stripe import InvalidRequestError  # noqa: PLC0415

    with _translate_errors("look up a price"):
        try:
            _stripe().v1.prices.retrieve(price_id)
        except InvalidRequestError as error:
            if error.code != _MISSING:
                raise
            return False
    return True


def create_monthly_price(*, plan_id: str, name: str, monthly_price_usd: Decimal) -> str:
    """Create a product and its monthly price in one request, and return the price's id.

    Idempotent: a repeat for the same plan, name and price returns the same price.
    """
    cents = monthly_price_usd * _CENTS
    if cents != int(cents):
        raise ValueError("a price has whole cents")
    content = hashlib.sha256(f"{name}\n{int(cents)}".encode()).hexdigest()[:16]
    with _translate_errors("create a price"):
        price = _stripe().v1.prices.create(
            {
                "currency": "usd",
                "unit_amount": int(cents),
                "recurring": {"interval": "month"},
                "product_data": {"name": name, "metadata": {"subscription_id": plan_id}},
                "metadata": {"subscription_id": plan_id},
            },
            {"idempotency_key": f"subscription-{plan_id}-{content}"},
        )
    return price.id


def _stripe() -> StripeClient:
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
def _translate_errors(task: str) -> Iterator[None]:
    """Translate every error of Stripe, or of reading its key, to ServiceUnavailable."""
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
