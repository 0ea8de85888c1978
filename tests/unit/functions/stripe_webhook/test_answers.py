from __future__ import annotations

import base64
import io
import json
import time
from decimal import Decimal
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError
from pynamodb.exceptions import PutError

from functions.stripe_webhook import service
from functions.stripe_webhook.app import MAX_BYTES
from local.stripe.webhooks import sign
from shared import secrets
from shared.clock import from_iso, utc_now
from shared.models.stripe_event import RETENTION, EventType, Outcome, StripeEvent
from tests.unit.functions.stripe_webhook.webhook import CUSTOMER, PARAMETER, SECRET, Webhook, event_of, sample
from tests.unit.in_process_aws import aws_client
from tests.unit.records import PLAN_ID, a_plan, a_user

USER_ID = "a12565e5-567b-432a-93b2-6349653010d9"
STANDARD, CUSTOM = "price_1M1xdOEaYDRKzLl0mZCDLtut", "price_1L4SsSJfOKOw6aMrXZO4ZA96"

RECEIVED = {"received": True}


def test_signed_event_is_stored_and_queued_for_its_customer(webhook: Webhook) -> None:
    answer = webhook.send(event_of("subscription_updated"))
    assert (answer.status, answer.body) == (200, RECEIVED)
    (event,) = webhook.stored()
    assert (event.id, event.type, event.created_at) == (
        "evt_1Q0updated",
        EventType.SUBSCRIPTION_UPDATED,
        from_iso("2026-01-02T00:00:00Z"),
    )
    assert (event.customer_id, event.named_user_id, event.stripe_subscription_id) == (CUSTOMER, USER_ID, "sub_1Q0demo")
    assert (event.status, event.price_ids, event.price_plan_ids) == ("active", [CUSTOM], [""])
    assert event.previous_status is None
    assert event.previous_price_ids == [STANDARD]
    assert event.started_at == from_iso("2026-01-01T00:00:00Z")
    assert event.outcome is Outcome.WAITING
    assert event.applied_at is None
    assert event.expires_at == pytest.approx((utc_now() + RETENTION).timestamp(), abs=60)
    assert webhook.queued() == [("evt_1Q0updated", CUSTOMER, "evt_1Q0updated")]


@pytest.mark.parametrize("name", ["subscription_created", "subscription_deleted", "payment_failed"])
def test_each_subscribed_type_is_stored_and_queued(webhook: Webhook, name: str) -> None:
    assert webhook.send(event_of(name)).status == 200
    assert [event.id for event in webhook.stored()] == [event_of(name)["id"]]
    assert len(webhook.queued()) == 1


def test_failed_payment_has_invoice_amount_and_next_attempt(webhook: Webhook) -> None:
    webhook.send(event_of("payment_failed"))
    (event,) = webhook.stored()
    assert (event.invoice_id, event.attempt_count) == ("in_1Q1demo", 1)
    assert (event.amount, event.currency, event.billing_reason) == (Decimal(40), "USD", "subscription_cycle")
    assert event.next_attempt_at == from_iso("2026-02-04T00:00:00Z")
    assert (event.stripe_subscription_id, event.named_user_id) == ("sub_1Q0demo", USER_ID)


def test_invoice_of_an_old_api_version_names_its_subscription(webhook: Webhook) -> None:
    payload = event_of("payment_failed")
    details = payload["data"]["object"].pop("parent")["subscription_details"]
    payload["data"]["object"] |= {
        "subscription": details["subscription"],
        "subscription_details": {"metadata": details["metadata"]},
    }
    assert webhook.send(payload).status == 200
    (event,) = webhook.stored()
    assert (event.stripe_subscription_id, event.named_user_id) == ("sub_1Q0demo", USER_ID)


def test_expanded_customer_is_read_as_its_id(webhook: Webhook) -> None:
    payload = event_of("subscription_created")
    payload["data"]["object"]["customer"] = {"id": CUSTOMER, "object": "customer", "email": "jane@example.com"}
    assert webhook.send(payload).status == 200
    assert webhook.stored()[0].customer_id == CUSTOMER


def test_names_and_addresses_are_not_stored(webhook: Webhook) -> None:
    payload = event_of("payment_failed")
    payload["data"]["object"] |= {"customer_email": "jane@example.com", "customer_name": "Jane Doe"}
    assert webhook.send(payload).status == 200
    assert "jane" not in str([event.to_dynamodb_dict() for event in webhook.stored()]).lower()


def test_other_types_are_answered_and_ignored(webhook: Webhook) -> None:
    answer = webhook.send(event_of("other_type"))
    assert (answer.status, answer.body) == (200, RECEIVED)
    assert webhook.changed_nothing()


def test_repeated_event_is_stored_once_and_queued_under_the_same_id(webhook: Webhook) -> None:
    for _ in range(3):
        assert webhook.send(event_of("subscription_created")).status == 200
    assert len(webhook.stored()) == 1
    assert {dedup for _, _, dedup in webhook.queued()} == {"evt_1Q0created"}


def test_repeated_event_keeps_the_first_record(webhook: Webhook) -> None:
    webhook.send(event_of("subscription_created"))
    before = webhook.stored()[0].to_dynamodb_dict()
    webhook.send(event_of("subscription_created"))
    assert webhook.stored()[0].to_dynamodb_dict() == before


def test_repeat_queues_an_event_that_was_stored_and_never_queued(
    webhook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_: Any, **__: Any) -> None:
        raise EndpointConnectionError(endpoint_url="https://sqs")

    with monkeypatch.context() as patched:
        patched.setattr(service, "send_stripe_event", crash)
        assert webhook.send(event_of("subscription_created")).status == 500
    assert len(webhook.stored()) == 1
    assert webhook.queued() == []
    assert webhook.send(event_of("subscription_created")).status == 200
    assert len(webhook.queued()) == 1


def test_applied_event_is_not_queued_again(webhook: Webhook) -> None:
    webhook.send(event_of("subscription_created"))
    webhook.queued()
    webhook.stored()[0].mark_applied()
    assert webhook.send(event_of("subscription_created")).status == 200
    assert webhook.queued() == []


@pytest.mark.parametrize("name", ["subscription_created", "subscription_updated", "subscription_deleted", "not_json"])
def test_sample_with_an_unknown_signature_changes_nothing(webhook: Webhook, name: str) -> None:
    answer = webhook.invoke(sample(name))
    assert (answer.status, answer.body) == (400, {"message": "signature does not match"})
    assert webhook.changed_nothing()


def test_missing_signature_changes_nothing(webhook: Webhook) -> None:
    answer = webhook.invoke(sample("without_signature"))
    assert (answer.status, answer.body) == (400, {"message": "signature is missing"})
    assert webhook.changed_nothing()


def test_a_forged_signature_changes_nothing(webhook: Webhook) -> None:
    assert webhook.send(event_of("subscription_created"), secret="whsec_of_somebody_else").status == 400
    assert webhook.changed_nothing()


def test_an_old_signature_changes_nothing(webhook: Webhook) -> None:
    assert webhook.send(event_of("subscription_created"), at=int(time.time()) - 301).status == 400
    assert webhook.changed_nothing()


def test_body_that_differs_from_the_signed_one_changes_nothing(webhook: Webhook) -> None:
    request = sample("subscription_created")
    request["headers"]["stripe-signature"] = sign(request["body"].encode(), secret=SECRET)
    assert webhook.invoke(request | {"body": request["body"].replace(USER_ID, "another")}).status == 400
    assert webhook.changed_nothing()


def test_base64_body_and_any_case_of_the_header_are_accepted(webhook: Webhook) -> None:
    request = sample("subscription_created")
    body = request["body"].encode()
    request["headers"] = {"Stripe-Signature": sign(body, secret=SECRET)}
    answer = webhook.invoke(request | {"body": base64.b64encode(body).decode(), "isBase64Encoded": True})
    assert answer.status == 200
    assert len(webhook.stored()) == 1


def _without(*path: str) -> dict[str, Any]:
    payload = event_of("subscription_created")
    place = payload
    for name in path[:-1]:
        place = place[name]
    del place[path[-1]]
    return payload


@pytest.mark.parametrize(
    "body",
    [
        "{",
        "[]",
        "null",
        '{"type": "customer.subscription.created"}',
        json.dumps(_without("data")),
        json.dumps(_without("data", "object", "customer")),
        json.dumps(_without("data", "object", "status")),
        json.dumps(event_of("subscription_created") | {"created": "yesterday"}),
        json.dumps(event_of("subscription_created") | {"created": 10**20}),
        json.dumps(event_of("subscription_created") | {"id": "evt with blanks"}),
        "[" * 100_000,
    ],
)
def test_unreadable_signed_event_is_refused_and_raises_the_alarm(
    webhook: Webhook, body: str, log: io.StringIO, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = webhook.send(body)
    assert (answer.status, answer.body) == (400, {"message": "event cannot be read"})
    assert webhook.changed_nothing()
    assert "stripe_event_not_taken" in capsys.readouterr().out
    assert CUSTOMER not in log.getvalue()


THIN: dict[str, Any] = {
    "id": "evt_thin",
    "object": "v2.core.event",
    "created": "2026-01-01T00:00:00.000Z",
    "related_object": {"id": "sub_1", "type": "subscription", "url": "/v1/subscriptions/sub_1"},
}


@pytest.mark.parametrize(
    "event",
    [
        THIN | {"type": "v1.customer.subscription.updated"},
        THIN | {"type": "v2.core.account.updated"},
        {"type": "charge.succeeded"},
        {"id": "evt with blanks", "type": "customer.created", "created": "yesterday", "data": None},
    ],
)
def test_event_of_a_type_that_we_do_not_take_may_have_any_shape(
    webhook: Webhook, event: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    assert webhook.send(event).status == 200
    assert webhook.changed_nothing()
    assert "stripe_event_not_taken" not in capsys.readouterr().out


def _invoice(**values: Any) -> dict[str, Any]:
    payload = event_of("payment_failed")
    payload["data"]["object"] |= {"parent": None, "billing_reason": "manual", "next_payment_attempt": None} | values
    return payload


@pytest.mark.parametrize("currency", ["eur", "usd", "jpy"])
def test_invoice_in_another_currency_is_stored_whoever_it_is_of(webhook: Webhook, currency: str) -> None:
    for number, customer in enumerate(("cus_stranger", CUSTOMER)):
        payload = _invoice(customer=customer, amount_due=4900, currency=currency) | {"id": f"evt_{number}"}
        assert webhook.send(payload).status == 200
    amount = Decimal(4900 if currency == "jpy" else 49)
    assert [(event.amount, event.currency) for event in webhook.stored()] == [(amount, currency.upper())] * 2


@pytest.mark.parametrize(
    "price", [{"price": {"id": STANDARD}}, {"pricing": {"price_details": {"price": STANDARD}}}], ids=["old", "new"]
)
def test_invoice_names_its_prices(webhook: Webhook, price: dict[str, Any]) -> None:
    assert webhook.send(_invoice(lines={"data": [price, price, {}, 7]})).status == 200
    (event,) = webhook.stored()
    assert (event.price_ids, event.price_plan_ids) == ([STANDARD], [""])


BROKEN: list[dict[str, Any]] = [
    _invoice(customer="cus_stranger", amount_due=-1),
    _invoice(customer="cus_stranger", currency="points"),
    _invoice(customer=None),
    _invoice(customer="cus_stranger", subscription_details={"metadata": {"user_id": "of-another-business"}}, id=None),
    event_of("subscription_created")
    | {"data": {"object": {"id": "sub_1", "customer": {"id": "cus_stranger"}, "items": {"data": []}}}},
]


@pytest.mark.parametrize("event", BROKEN)
def test_unreadable_event_of_somebody_elses_customer_is_ignored(
    webhook: Webhook, event: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    answer = webhook.send(event)
    assert (answer.status, answer.body) == (200, RECEIVED)
    assert webhook.changed_nothing()
    written = capsys.readouterr().out
    assert "stripe_event_not_ours" in written
    assert "stripe_event_not_taken" not in written


@pytest.mark.parametrize("ours", ["linked customer", "known user", "price of a plan", "price made for a plan"])
def test_unreadable_event_of_ours_is_refused_and_raises_the_alarm(
    webhook: Webhook, ours: str, capsys: pytest.CaptureFixture[str]
) -> None:
    a_user()
    a_plan(stripe_price_id=STANDARD)
    price: dict[str, Any] = {"id": STANDARD if ours == "price of a plan" else "price_unknown"}
    if ours == "price made for a plan":
        price["metadata"] = {"subscription_id": PLAN_ID}
    event = _invoice(
        customer=CUSTOMER if ours == "linked customer" else "cus_new",
        metadata={"user_id": USER_ID} if ours == "known user" else {},
        lines={"data": [{"price": price}]},
        amount_due=-1,
    )
    assert webhook.send(event).status == 400
    assert webhook.changed_nothing()
    assert "stripe_event_not_taken" in capsys.readouterr().out


@pytest.mark.parametrize("behavior", ["void", "keep_as_draft", "mark_uncollectible"])
def test_subscription_whose_collection_is_paused_keeps_its_status(webhook: Webhook, behavior: str) -> None:
    payload = event_of("subscription_updated")
    payload["data"]["object"]["pause_collection"] = {"behavior": behavior, "resumes_at": None}
    payload["data"]["previous_attributes"] = {"pause_collection": None}
    assert webhook.send(payload).status == 200
    (event,) = webhook.stored()
    assert event.status == "active"
    assert event.previous_status is None


def test_forged_event_raises_no_alarm(webhook: Webhook, capsys: pytest.CaptureFixture[str]) -> None:
    webhook.invoke(sample("subscription_created"))
    assert "stripe_event_not_taken" not in capsys.readouterr().out


def test_too_large_body_is_refused(webhook: Webhook) -> None:
    assert webhook.send(json.dumps({"a": "x" * MAX_BYTES})).status == 400


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/v1/webhook/stripe"), ("POST", "/v1/webhook/strategy"), ("POST", "/")]
)
def test_only_one_route_is_known(webhook: Webhook, method: str, path: str) -> None:
    request = sample("subscription_created") | {"rawPath": path}
    request["requestContext"]["http"]["method"] = method
    assert webhook.invoke(request).status == 404


@pytest.mark.parametrize("value", ["", "  ", ","])
def test_without_a_secret_every_event_is_refused(webhook: Webhook, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "read_parameter", lambda _: value)
    assert webhook.send(event_of("subscription_created"), secret="").status == 503
    assert webhook.changed_nothing()


def test_missing_secret_answers_503(webhook: Webhook) -> None:
    aws_client("ssm").delete_parameter(Name=PARAMETER)
    assert webhook.send(event_of("subscription_created")).status == 503
    assert webhook.changed_nothing()


def test_rolled_secret_is_accepted_beside_the_old_one(webhook: Webhook) -> None:
    aws_client("ssm").put_parameter(Name=PARAMETER, Value=f"whsec_new, {SECRET}", Overwrite=True)
    secrets._parameters.clear()
    assert webhook.send(event_of("subscription_created"), secret="whsec_new").status == 200
    assert webhook.send(event_of("subscription_deleted")).status == 200


@pytest.mark.rings("StripeWebhookAlarm")
def test_failing_table_answers_500_and_queues_nothing(
    webhook: Webhook, monkeypatch: pytest.MonkeyPatch, log: io.StringIO
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise PutError("no table today")

    with monkeypatch.context() as patched:
        patched.setattr(StripeEvent, "save", fail)
        assert webhook.send(event_of("subscription_created")).status == 500
    assert webhook.queued() == []
    assert SECRET not in log.getvalue()
