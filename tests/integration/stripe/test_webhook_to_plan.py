"""From the stand-in's signed event, over HTTP and the queue, to the user's plan."""

from __future__ import annotations

import itertools
import json
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any
from uuid import uuid4

import pytest

from local.stripe import PRO_PRICE, STANDARD_PRICE
from shared.models.notice import Notice
from shared.models.plan import Plan
from shared.models.stripe_event import Outcome, StripeEvent
from shared.models.stripe_subscription import StripeSubscription
from shared.models.user import User
from tests.integration.stripe.billing import Billing, a_plan, a_user, plan_state, record

AT_ONCE = 6


@pytest.fixture
def plans(billing: Billing) -> dict[str, Plan]:
    """Return the only plans of these prices: the tables are shared with other tests."""
    for found in Plan.scan():
        if found.stripe_price_id in {STANDARD_PRICE, PRO_PRICE}:
            found.delete()
    return {"STANDARD": a_plan("STANDARD", STANDARD_PRICE), "PRO": a_plan("PRO", PRO_PRICE)}


def statuses(sent: dict[str, Any]) -> list[int]:
    return [delivery["status"] for delivery in sent["deliveries"]]


def test_subscription_is_created_changed_and_ended(billing: Billing, plans: dict[str, Plan]) -> None:
    user_id = a_user(plans["STANDARD"])
    sent = billing.subscribe(user_id, PRO_PRICE)
    subscription_id = sent["event"]["data"]["object"]["id"]
    assert statuses(sent) == [200]
    assert billing.record() == []
    assert plan_state(user_id) == (plans["PRO"].id, False)
    billing.stripe("POST", f"subscriptions/{subscription_id}", {"price": STANDARD_PRICE})
    assert billing.record() == []
    assert plan_state(user_id) == (plans["STANDARD"].id, False)
    assert statuses(billing.stripe("POST", f"subscriptions/{subscription_id}/payment-failed")) == [200]
    billing.stripe("DELETE", f"subscriptions/{subscription_id}")
    assert billing.record() == []
    assert plan_state(user_id) == (plans["STANDARD"].id, True)


def notices_to(user_id: str) -> list[tuple[str, dict[str, Any]]]:
    found = [Notice.get(notice.id) for notice in Notice.by_recipient.query(f"user#{user_id}")]
    return [(notice.kind, json.loads(notice.content)) for notice in found]


def test_first_payment_that_fails_names_its_plan_and_leaves_the_present_one(
    billing: Billing, plans: dict[str, Plan]
) -> None:
    user_id = a_user(plans["STANDARD"])
    new = billing.subscribe(user_id, PRO_PRICE, status="incomplete")["event"]["data"]["object"]["id"]
    assert statuses(billing.stripe("POST", f"subscriptions/{new}/payment-failed")) == [200]
    assert billing.record() == []
    assert plan_state(user_id) == (plans["STANDARD"].id, False)
    ((kind, values),) = notices_to(user_id)
    assert (kind, values["plan_name"], values["amount"], values["begins"]) == ("PAYMENT_FAILED", "PRO", "123.00", True)


def test_paused_collection_keeps_the_plan_and_says_nothing(billing: Billing, plans: dict[str, Plan]) -> None:
    user_id = a_user(plans["PRO"])
    path = f"subscriptions/{billing.subscribe(user_id, PRO_PRICE)['event']['data']['object']['id']}"
    for behavior in ("void", "keep_as_draft", "mark_uncollectible"):
        billing.stripe("POST", path, {"pause_collection": {"behavior": behavior, "resumes_at": None}})
        assert billing.record() == []
        assert plan_state(user_id) == (plans["PRO"].id, False)
    billing.stripe("POST", path, {"pause_collection": None})
    assert billing.record() == []
    assert notices_to(user_id) == []


def test_invoice_of_somebody_elses_customer_in_euros_is_recorded_as_not_ours(billing: Billing) -> None:
    event_id = f"evt_{uuid4().hex}"
    invoice = {
        "id": "in_case05",
        "object": "invoice",
        "customer": "cus_stranger",
        "amount_due": 4900,
        "currency": "eur",
        "attempt_count": 1,
        "billing_reason": "manual",
        "parent": None,
        "next_payment_attempt": None,
    }
    event = {"id": event_id, "type": "invoice.payment_failed", "created": 1_767_225_600, "data": {"object": invoice}}
    assert statuses(billing.stripe("POST", "events", {"event": event})) == [200]
    assert billing.record() == []
    assert StripeEvent.get(event_id).outcome is Outcome.NOT_OURS


@pytest.mark.parametrize(
    "how", [{"secret": "whsec_forged"}, {"ageSeconds": 400}, {"signature": None}, {"signature": "t=1,v1=00"}]
)
def test_event_with_a_bad_signature_changes_nothing(
    billing: Billing, plans: dict[str, Plan], how: dict[str, Any]
) -> None:
    user_id = a_user(plans["STANDARD"])
    sent = billing.subscribe(user_id, PRO_PRICE, send=how)
    assert statuses(sent) == [400]
    assert StripeEvent.find(sent["event"]["id"]) is None
    assert billing.queued() == []
    assert plan_state(user_id) == (plans["STANDARD"].id, False)


def test_an_event_sent_three_times_is_applied_once(billing: Billing, plans: dict[str, Plan]) -> None:
    user_id = a_user(plans["STANDARD"])
    assert statuses(billing.subscribe(user_id, PRO_PRICE, send={"times": 3})) == [200, 200, 200]
    queued = billing.queued()
    assert len(queued) == 1
    assert record(queued) == []
    user = User.find(user_id)
    assert record(queued) == []
    assert user is not None
    assert user.stripe_revision == 1
    again = User.find(user_id)
    assert again is not None
    assert again.to_dynamodb_dict() == user.to_dynamodb_dict()


def test_events_delivered_out_of_order_end_in_stripes_state(billing: Billing, plans: dict[str, Plan]) -> None:
    user_id = a_user(plans["STANDARD"])
    later = {"send": False}
    made = billing.subscribe(user_id, STANDARD_PRICE, status="incomplete", at=1_767_225_600, **later)["event"]
    path = f"subscriptions/{made['data']['object']['id']}"
    events = [
        made,
        # The same second: only what each says to have changed tells their order.
        billing.stripe("POST", path, {"status": "active", "at": 1_767_225_601, **later})["event"],
        billing.stripe("POST", path, {"price": PRO_PRICE, "at": 1_767_225_601, **later})["event"],
        billing.stripe("POST", path, {"status": "past_due", "at": 1_767_225_700, **later})["event"],
    ]
    for event in reversed(events):
        assert statuses(billing.stripe("POST", f"events/{event['id']}/send")) == [200]
        assert billing.record() == []
    assert plan_state(user_id) == (plans["PRO"].id, False)
    (stored,) = StripeSubscription.query(user_id)
    assert stored.status == "past_due"


def test_message_delivered_to_many_workers_at_once_is_applied_once(billing: Billing, plans: dict[str, Plan]) -> None:
    user_id = a_user(plans["STANDARD"])
    billing.subscribe(user_id, PRO_PRICE)
    (message,) = billing.queued()
    # One process has one event loop: what the batches do in threads of their own is done here by groups.
    copies = [
        message | {"messageId": str(number), "attributes": {"ApproximateReceiveCount": "1"}}
        for number in range(AT_ONCE)
    ]
    assert record(copies) == []
    user = User.find(user_id)
    assert user is not None
    assert (user.plan_id, user.stripe_revision) == (plans["PRO"].id, 1)


def test_plan_lapses_when_all_customers_of_a_user_end_at_once(billing: Billing, plans: dict[str, Plan]) -> None:
    user_id = a_user(plans["STANDARD"])
    made = [billing.subscribe(user_id, PRO_PRICE)["event"]["data"]["object"] for _ in range(AT_ONCE)]
    assert len({one["customer"] for one in made}) == AT_ONCE
    assert _until_done(billing.queued()) == []
    assert plan_state(user_id) == (plans["PRO"].id, False)
    for one in made:
        billing.stripe("DELETE", f"subscriptions/{one['id']}")
    assert _until_done(billing.queued()) == []
    assert plan_state(user_id) == (plans["PRO"].id, True)


def _until_done(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Deliver a batch until nothing of it fails, as the queue does; return what failed ten times."""
    for _ in range(10):
        failed = {failure["itemIdentifier"] for failure in record(records)}
        records = [one for one in records if one["messageId"] in failed]
    return records


def test_customer_claimed_by_two_users_at_once_is_linked_to_one(billing: Billing, plans: dict[str, Plan]) -> None:
    users, customer = [a_user(plans["STANDARD"]) for _ in range(2)], f"cus_{uuid4().hex}"
    for user_id in users:
        billing.subscribe(user_id, PRO_PRICE, customer=customer)
    records = [one | {"attributes": {"ApproximateReceiveCount": "1"}} for one in billing.queued()]
    failed = _until_done(records)
    assert len(failed) == 1
    assert sorted(plan_state(user_id)[0] == plans["PRO"].id for user_id in users) == [False, True]


def test_event_received_many_times_at_once_is_stored_once(billing: Billing, plans: dict[str, Plan]) -> None:
    user_id = a_user(plans["STANDARD"])
    event = billing.subscribe(user_id, PRO_PRICE, send=False)["event"]
    barrier = Barrier(AT_ONCE)

    def send(_: int) -> list[int]:
        barrier.wait()
        return statuses(billing.stripe("POST", f"events/{event['id']}/send"))

    with ThreadPoolExecutor(AT_ONCE) as pool:
        assert list(itertools.chain(*pool.map(send, range(AT_ONCE)))) == [200] * AT_ONCE
    assert len(billing.queued()) == 1
