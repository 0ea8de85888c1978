"""The webhook of one test, its queue and its table, and Stripe's signature."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from shared.clock import utc_now
from shared.models.plan import Plan
from shared.models.stripe_customer import StripeCustomer
from shared.models.stripe_event import StripeEvent
from shared.models.user import User
from tests.unit.functions.stripe_webhook.webhook import CUSTOMER, PARAMETER, SECRET, Webhook
from tests.unit.in_process_aws import Queues, aws_client
from tests.unit.records import USER_ID


@pytest.fixture
def webhook(aws: Queues, settings_from: Callable[..., None]) -> Webhook:
    for model in (StripeEvent, StripeCustomer, User, Plan):
        model.create_table(billing_mode="PAY_PER_REQUEST")
    StripeCustomer(CUSTOMER, user_id=USER_ID, created_at=utc_now()).save()
    aws_client("ssm").put_parameter(Name=PARAMETER, Type="SecureString", Value=SECRET)
    settings_from(STRIPE_WEBHOOK_SECRET_PARAMETER=PARAMETER)
    return Webhook(aws)
