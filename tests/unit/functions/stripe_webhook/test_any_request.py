"""The webhook answers every request, signed or not, without a fault of ours; unsigned ones change nothing."""

from __future__ import annotations

import base64
import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.functions.stripe_webhook.webhook import Webhook, event_of, sample

many = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

text = st.text(st.characters(), max_size=30)
values: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), text),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(text, inner, max_size=3)),
    max_leaves=6,
)
NAMES = ("subscription_created", "subscription_updated", "subscription_deleted", "payment_failed")
FIELDS = (
    *("id", "customer", "created", "status", "items", "metadata", "parent", "subscription", "subscription_details"),
    *("attempt_count", "amount_due", "currency", "next_payment_attempt"),
)


@many
@given(header=text, body=text, base_64=st.booleans(), headers=st.dictionaries(text, values, max_size=2))
def test_unsigned_request_gets_400_and_changes_nothing(
    webhook: Webhook, header: str, body: str, base_64: bool, headers: dict[str, Any]
) -> None:
    request = sample("subscription_created")
    request["headers"] = headers | {"stripe-signature": header}
    assert webhook.invoke(request | {"body": body, "isBase64Encoded": base_64}).status == 400
    assert webhook.changed_nothing()


@many
@given(content=st.binary(max_size=200))
def test_unsigned_bytes_get_400_and_change_nothing(webhook: Webhook, content: bytes) -> None:
    request = sample("subscription_created") | {"body": base64.b64encode(content).decode(), "isBase64Encoded": True}
    assert webhook.invoke(request).status == 400


@many
@given(body=st.one_of(values.map(json.dumps), text))
def test_any_signed_body_is_answered(webhook: Webhook, body: str) -> None:
    assert webhook.send(body).status == 400


@many
@given(
    name=st.sampled_from(NAMES),
    envelope=st.dictionaries(st.sampled_from(["id", "created", "data", "type"]), values, max_size=1),
    changes=st.dictionaries(st.sampled_from(FIELDS), values, max_size=2),
    before=values,
)
def test_any_signed_event_is_answered(
    webhook: Webhook, name: str, envelope: dict[str, Any], changes: dict[str, Any], before: Any
) -> None:
    payload = event_of(name)
    payload["data"]["object"] |= changes
    payload["data"]["previous_attributes"] = before
    assert webhook.send(payload | envelope).status in {200, 400}
