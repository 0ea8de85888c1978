"""Verifies an event of Stripe, stores it once and queues it. Speaks no HTTP."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from pydantic import ValidationError

from functions.stripe_webhook.hints import hints_of, token_or_none
from functions.stripe_webhook.schemas import is_subscribed, read_event
from shared.billing.ownership import find_payer, is_ours
from shared.billing.signature import check_signature, read_secrets
from shared.config import settings
from shared.errors import LockstepError, RequestInvalid, ServiceUnavailable
from shared.messages import StripeEventMessage, send_stripe_event
from shared.observability import count_outcome, logger
from shared.secrets import read_parameter


class EventUnreadable(LockstepError):
    """Stripe signed the event, it is not certainly somebody else's, and it does not match the shape that we know."""


def receive_event(body: bytes, *, signature: str | None, received_at: datetime) -> None:
    """Store and queue the event, once; raise RequestInvalid for a wrong signature, or EventUnreadable.

    An event that is stored and not applied is queued again: the worker that stored it may have crashed before it queued
    it, and Stripe therefore repeats it.
    """
    if not signature:
        raise RequestInvalid("signature is missing")
    check_signature(signature, body, secrets=_signing_secrets(), at=received_at)
    fields = _fields(body)
    if not is_subscribed(fields):
        logger.info("stripe_event_ignored", event_id=token_or_none(fields.get("id")))
        return
    try:
        event = read_event(fields, received_at=received_at)
    except ValidationError as error:
        if _is_foreign(fields):
            # Others may write anything: only what is ours has to be readable.
            logger.info("stripe_event_not_ours", event_id=token_or_none(fields.get("id")))
            count_outcome("stripe_event_not_ours")
            return
        # Only the places of the faults: the values are a person's data.
        places = [".".join(map(str, fault["loc"])) for fault in error.errors(include_input=False)]
        raise EventUnreadable(f"cannot be read at {', '.join(places[:5])}") from error
    stored = event.store_once()
    if stored.applied_at is not None:
        logger.info("stripe_event_repeated", event_id=event.id)
        return
    send_stripe_event(StripeEventMessage(event.id), customer_id=event.customer_id)
    logger.info("stripe_event_queued", event_id=event.id, type=event.type.value)


def _is_foreign(fields: dict[str, Any]) -> bool:
    """Return whether an event is certainly about somebody else's customer."""
    hints = hints_of(fields)
    if hints is None:
        return False
    payer = find_payer(customer_id=hints.customer_id, named_user_id=hints.named_user_id)
    price_ids, plan_ids = [price.id for price in hints.prices], [price.plan_id for price in hints.prices]
    return not is_ours(payer, price_ids=price_ids, price_plan_ids=plan_ids)


def _signing_secrets() -> tuple[str, ...]:
    try:
        return read_secrets(read_parameter(settings().stripe_webhook_secret_parameter))
    except (BotoCoreError, ClientError) as error:
        raise ServiceUnavailable("the signing secret cannot be read") from error


def _fields(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise EventUnreadable("not JSON") from error
    if not isinstance(found, dict):
        raise EventUnreadable("not a JSON object")
    return found
