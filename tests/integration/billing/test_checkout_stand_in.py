"""The stand-in's Checkout and billing portal, driven by Stripe's own library and by their pages' forms."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.parse
import urllib.request
from typing import Any
from uuid import uuid4

import pytest
import stripe

from local.stripe import PRO_PRICE, STANDARD_PRICE
from tests.integration.billing.stand_in import StandIn
from tests.integration.billing.test_stand_in import client


def session_form(**more: Any) -> dict[str, Any]:
    return {
        "mode": "subscription",
        "line_items": [{"price": STANDARD_PRICE, "quantity": 1}],
        "success_url": "http://127.0.0.1:9/paid?session={CHECKOUT_SESSION_ID}",
        "cancel_url": "http://127.0.0.1:9/plans",
        **more,
    }


def open_session(stand_in: StandIn, **more: Any) -> stripe.checkout.Session:
    return client(stand_in).v1.checkout.sessions.create(session_form(**more))  # type: ignore[arg-type]


def send_form(url: str | None, **fields: str) -> Any:
    """Send a page's form as a client that reads JSON."""
    assert url is not None
    request = urllib.request.Request(  # noqa: S310 - our own server
        url, data=urllib.parse.urlencode(fields).encode(), headers={"Accept": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
        text = answer.read()
        return json.loads(text) if answer.headers.get_content_type() == "application/json" else text.decode()


def events_of(stand_in: StandIn) -> list[str]:
    with urllib.request.urlopen(f"{stand_in.url}/stand-in/deliveries", timeout=10) as answer:  # noqa: S310
        return [delivery["type"] for delivery in json.load(answer)]


def test_paid_session_makes_an_active_subscription_with_its_metadata(stand_in: StandIn) -> None:
    api = client(stand_in).v1
    customer = api.customers.create({"email": "ada@example.com", "metadata": {"user_id": "u-1"}})
    made = open_session(
        stand_in,
        customer=customer.id,
        metadata={"of": "the session"},
        subscription_data={"metadata": {"user_id": "u-1"}},
    )
    assert (made.status, made.payment_status, made.subscription) == ("open", "unpaid", None)
    paid = send_form(made.url)["session"]
    found = api.checkout.sessions.retrieve(made.id)
    assert (found.status, found.payment_status, found.url) == ("complete", "paid", None)
    subscription = api.subscriptions.retrieve(paid["subscription"])
    assert (subscription.status, subscription.customer) == ("active", customer.id)
    # As at Stripe, the session's own metadata never reach the subscription.
    assert subscription.metadata.to_dict() == {"user_id": "u-1"}
    assert subscription["items"]["data"][0]["price"]["id"] == STANDARD_PRICE


def test_events_of_a_payment_are_those_of_stripe_in_its_order(stand_in: StandIn) -> None:
    before = len(events_of(stand_in))
    send_form(open_session(stand_in, customer_email="ada@example.com").url)
    assert events_of(stand_in)[before:] == [
        "customer.subscription.created",
        "customer.subscription.updated",
        "invoice.paid",
        "checkout.session.completed",
    ]


def test_declined_card_leaves_the_session_open(stand_in: StandIn) -> None:
    made = open_session(stand_in)
    assert "declined" in send_form(made.url, card="declined")
    assert client(stand_in).v1.checkout.sessions.retrieve(made.id).status == "open"


def test_expired_session_cannot_be_paid_and_a_paid_one_not_expired(stand_in: StandIn) -> None:
    api = client(stand_in).v1
    first, second = open_session(stand_in), open_session(stand_in)
    assert api.checkout.sessions.expire(first.id).status == "expired"
    with pytest.raises(urllib.error.HTTPError) as refused:
        send_form(first.url)
    assert refused.value.code == 400
    send_form(second.url)
    with pytest.raises(stripe.InvalidRequestError, match="has a status of `complete`"):
        api.checkout.sessions.expire(second.id)


def test_sessions_and_subscriptions_of_a_customer_are_listed_newest_first(stand_in: StandIn) -> None:
    api = client(stand_in).v1
    customer = api.customers.create({}).id
    made = [open_session(stand_in, customer=customer) for _ in range(3)]
    send_form(made[1].url)
    still_open = api.checkout.sessions.list({"customer": customer, "status": "open"})
    assert [one.id for one in still_open.data] == [made[2].id, made[0].id]
    page = api.checkout.sessions.list({"customer": customer, "limit": 1})
    assert [one.id for one in page.auto_paging_iter()] == [one.id for one in reversed(made)]
    (subscription,) = api.subscriptions.list({"customer": customer}).data
    send_form(
        api.billing_portal.sessions.create({"customer": customer}).url, subscription=subscription.id, action="cancel"
    )
    assert api.subscriptions.list({"customer": customer}).data == []
    assert [one.status for one in api.subscriptions.list({"customer": customer, "status": "all"}).data] == ["canceled"]


def test_portal_changes_and_cancels_the_customers_own_subscription(stand_in: StandIn) -> None:
    api = client(stand_in).v1
    customer = api.customers.create({}).id
    subscription = send_form(open_session(stand_in, customer=customer).url)["session"]["subscription"]
    portal = api.billing_portal.sessions.create({"customer": customer, "return_url": "http://127.0.0.1:9/back"})
    (changed,) = send_form(portal.url, subscription=subscription, action="change", price=PRO_PRICE)["events"]
    assert changed["type"] == "customer.subscription.updated"
    before = changed["data"]["previous_attributes"]["items"]["data"][0]["price"]["id"]
    now = changed["data"]["object"]["items"]["data"][0]["price"]["id"]
    assert (before, now) == (STANDARD_PRICE, PRO_PRICE)
    send_form(portal.url, subscription=subscription, action="cancel_at_period_end")
    assert api.subscriptions.retrieve(subscription).cancel_at_period_end is True
    other = send_form(open_session(stand_in).url)["session"]["subscription"]
    with pytest.raises(urllib.error.HTTPError):
        send_form(portal.url, subscription=other, action="cancel")
    assert api.subscriptions.retrieve(other).status == "active"


def test_same_key_opens_one_session(stand_in: StandIn) -> None:
    api, key = client(stand_in).v1, str(uuid4())
    made = [api.checkout.sessions.create(session_form(), {"idempotency_key": key}).id for _ in range(2)]  # type: ignore[arg-type]
    assert len(set(made)) == 1


@pytest.mark.parametrize(
    ("form", "param"),
    [
        ({"success_url": ""}, "success_url"),
        ({"mode": "payment"}, "mode"),
        ({"line_items": []}, "line_items"),
        ({"line_items": [{"price": "price_none", "quantity": 1}]}, "price"),
        ({"customer": "cus_none"}, "customer"),
        ({"customer_email": "a@example.com", "customer": "cus_none"}, "customer"),
        ({"expires_at": int(time.time()) + 60}, "expires_at"),
        ({"subscription_data": {"colour": "red"}}, "subscription_data[colour]"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_wrong_session_is_refused_with_its_parameter(stand_in: StandIn, form: dict[str, Any], param: str) -> None:
    with pytest.raises(stripe.InvalidRequestError) as caught:
        open_session(stand_in, **form)
    assert (caught.value.http_status, caught.value.param) == (400, param)


def test_deleted_customer_opens_nothing(stand_in: StandIn) -> None:
    api = client(stand_in).v1
    customer = api.customers.create({}).id
    api.customers.delete(customer)
    with pytest.raises(stripe.InvalidRequestError, match="No such customer") as caught:
        open_session(stand_in, customer=customer)
    assert caught.value.code == "resource_missing"
    with pytest.raises(stripe.InvalidRequestError):
        api.billing_portal.sessions.create({"customer": customer})


def test_pages_are_shown_without_a_key(stand_in: StandIn) -> None:
    api = client(stand_in).v1
    customer = api.customers.create({}).id
    made = open_session(stand_in, customer=customer)
    portal = api.billing_portal.sessions.create({"customer": customer})
    for url, expected in ((made.url, "STANDARD: 40.00 USD"), (portal.url, "There is no subscription.")):
        with urllib.request.urlopen(str(url), timeout=10) as answer:  # noqa: S310 - our own server
            assert expected in answer.read().decode()
