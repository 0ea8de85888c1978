"""The webhook of one test, its queue and its table, and Stripe's signature."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from shared.models.stripe_event import StripeEvent
from tests.unit.functions.stripe_webhook.webhook import PARAMETER, SECRET, Webhook
from tests.unit.in_process_aws import Queues, aws_client


@pytest.fixture
def webhook(aws: Queues, settings_from: Callable[..., None]) -> Webhook:
    StripeEvent.create_table(billing_mode="PAY_PER_REQUEST")
    aws_client("ssm").put_parameter(Name=PARAMETER, Type="SecureString", Value=SECRET)
    settings_from(STRIPE_WEBHOOK_SECRET_PARAMETER=PARAMETER)
    return Webhook(aws)
