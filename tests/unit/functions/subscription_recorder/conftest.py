"""Two plans, a user, and Stripe events that are stored and wait."""

from __future__ import annotations

import pytest

from shared.models.exchange_key import ExchangeKey
from shared.models.key_balance import KeyBalance
from shared.models.notice import Notice
from shared.models.plan import Plan
from shared.models.stripe_customer import StripeCustomer
from shared.models.stripe_event import StripeEvent
from shared.models.stripe_subscription import StripeSubscription
from shared.models.user import User
from tests.unit.functions.subscription_recorder.recorder import BASIC, BASIC_PRICE, DEFAULT, PRO, PRO_PRICE, Recorder
from tests.unit.in_process_aws import Queues
from tests.unit.records import a_plan, a_user


@pytest.fixture
def recorder(aws: Queues) -> Recorder:
    for model in (User, Plan, StripeEvent, StripeCustomer, StripeSubscription, Notice, ExchangeKey, KeyBalance):
        model.create_table(billing_mode="PAY_PER_REQUEST")
    for plan_id, name, price_id in ((DEFAULT, "DEFAULT", None), (BASIC, "BASIC", BASIC_PRICE), (PRO, "PRO", PRO_PRICE)):
        a_plan(plan_id, name=name, stripe_price_id=price_id, max_balance_usd=15000, max_api_key=5)
    a_user(plan_id=DEFAULT)
    return Recorder(aws)
