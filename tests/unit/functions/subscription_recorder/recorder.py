"""Plans, and events of Stripe's that are stored and delivered."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from itertools import count
from typing import Any

from functions.subscription_recorder.app import lambda_handler
from shared.clock import utc_now
from shared.models.notice import Notice
from shared.models.stripe_event import EventType, StripeEvent
from shared.models.user import User
from tests.lambda_context import FakeContext
from tests.unit.in_process_aws import Queues
from tests.unit.records import STARTED_AT, USER_ID, id_of

CUSTOMER = "cus_MmYKZgS50gQgsm"
BASIC_PRICE, PRO_PRICE = "price_basic", "price_pro"
BASIC, PRO, DEFAULT = id_of("BASIC"), id_of("PRO"), id_of("DEFAULT")
BEGAN = STARTED_AT.replace(microsecond=0)

CREATED, UPDATED = EventType.SUBSCRIPTION_CREATED, EventType.SUBSCRIPTION_UPDATED
DELETED, PAYMENT_FAILED = EventType.SUBSCRIPTION_DELETED, EventType.PAYMENT_FAILED

_numbers = count(1)


def an_event(
    type_: EventType = UPDATED, *, seconds: int = 0, event_id: str | None = None, **values: Any
) -> StripeEvent:
    """Return an event of `seconds` after the subscription began; not stored yet."""
    usual: dict[str, Any] = {
        "customer_id": CUSTOMER,
        "named_user_id": USER_ID,
        "stripe_subscription_id": "sub_1",
        "received_at": utc_now(),
        "expires_at": StripeEvent.expiry(utc_now()),
    }
    if type_ is PAYMENT_FAILED:
        usual |= {"invoice_id": "in_1", "attempt_count": 1, "amount": Decimal("40.00"), "currency": "USD"}
    else:
        usual |= {
            "started_at": BEGAN,
            "status": "canceled" if type_ is DELETED else "active",
            "price_ids": [PRO_PRICE],
            "price_plan_ids": [""],
        }
    made = usual | values
    if "price_ids" in made and "price_plan_ids" not in values:
        made["price_plan_ids"] = [""] * len(made["price_ids"])
    return StripeEvent(
        event_id or f"evt_{next(_numbers):04}", type=type_, created_at=BEGAN + timedelta(seconds=seconds), **made
    )


@dataclass(frozen=True, slots=True)
class Recorder:
    queues: Queues

    def take(self, *events: StripeEvent) -> list[str]:
        """Store the events if they are new, deliver their messages one after the other, and return the failed ones."""
        for event in events:
            event.store_once()
        return self.deliver(*(event.id for event in events))

    def deliver(self, *event_ids: str) -> list[str]:
        """Deliver the messages of events, and return the events whose message comes again."""
        return [event_id for event_id in event_ids if self._fails(event_id)]

    def _fails(self, event_id: str) -> bool:
        record = {
            "messageId": "1",
            "body": json.dumps({"event_id": event_id}),
            "attributes": {"ApproximateReceiveCount": "1", "MessageGroupId": "1"},
        }
        answer = lambda_handler({"Records": [record]}, FakeContext())
        return bool(answer["batchItemFailures"])

    def user(self, user_id: str = USER_ID) -> User:
        user = User.find(user_id)
        assert user is not None
        return user

    def plan_state(self, user_id: str = USER_ID) -> tuple[str | None, bool, str | None]:
        """Return plan, whether it has lapsed, and customer."""
        user = self.user(user_id)
        return user.plan_id, user.plan_lapsed, user.stripe_customer_id

    def notices(self) -> list[tuple[str, str, dict[str, Any]]]:
        """Return the notices that were recorded: recipient, kind, values; in the order of their causes."""
        found = sorted(Notice.scan(), key=lambda notice: notice.created_key)
        return [(notice.recipient, notice.kind, json.loads(notice.content)) for notice in found]

    def notice_kinds(self) -> list[str]:
        return [kind for _, kind, _ in self.notices()]
