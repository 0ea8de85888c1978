from __future__ import annotations

import contextlib
import hashlib
import secrets
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.api.alert_fields import FIELDS, parse_alert
from shared.api.json_text import NumberText, write_json
from shared.api.redaction import REMOVED, redact
from shared.errors import RequestUnprocessable

STRATEGY_ID = "61b79e6d-7e22-4f91-b508-ef5be6a21419"
OURS = secrets.token_urlsafe(32)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"secret": OURS}, {"secret": REMOVED}),
        ({"secret": None}, {"secret": REMOVED}),
        ({"Secret ": "x", "webhook_secret": "y"}, {"Secret ": REMOVED, "webhook_secret": REMOVED}),
        (
            {"apiKey": "a", "API-KEY": "b", "authorization": "c"},
            dict.fromkeys(["apiKey", "API-KEY", "authorization"], REMOVED),
        ),
        # Short, and under a name that tells nothing.
        ({"pin": "1234", "pw": "hunter2", "key": 7}, {"pin": REMOVED, "pw": REMOVED, "key": REMOVED}),
        ({"Stop": "1", "stop ": "2"}, {"Stop": REMOVED, "stop ": REMOVED}),
        ({"more": {"password": ["a", {"b": "c"}]}}, {"more": REMOVED}),
        ({"stop": {"pw": "x"}, "type": ["x"]}, {"stop": REMOVED, "type": REMOVED}),
        # The secret in the wrong field, under no name at all, and in the midst of a text.
        ({"alertId": OURS}, {"alertId": REMOVED}),
        ({OURS: 1}, {REMOVED: REMOVED}),
        ({"winRate": f"use {OURS}, please"}, {"winRate": f"use {REMOVED}, please"}),
        ({"type": f'{{"secret":"{OURS}"}}'}, {"type": f'{{"secret":"{REMOVED}"}}'}),
        # Short, but known by its name.
        ({"secret": " hunter2 ", "winRate": "hunter2!"}, {"secret": REMOVED, "winRate": f"{REMOVED}!"}),
    ],
)
def test_secret_is_removed_wherever_it_stands(fields: dict[str, Any], expected: dict[str, Any]) -> None:
    assert redact(fields, known=FIELDS) == expected


def test_rest_of_an_alert_stays_as_it_was_sent() -> None:
    alert: dict[str, Any] = {
        "strategy": STRATEGY_ID,
        "type": "buy",
        "orderPrice": NumberText("19286.50"),
        "stop": "19280.4",
        "takeProfit": "NaN",
        "firedAt": "2026-11-29T12:00:00Z",
        "positionSize": True,
        "keep": None,
    }
    kept = redact(alert, known=FIELDS)
    assert kept == alert
    assert write_json(kept) == write_json(alert)


long_secrets = st.text("ABCXYZabcxyz0189_-", min_size=43, max_size=43)


@st.composite
def bodies_with(draw: st.DrawFn, secret: str) -> dict[str, Any]:
    """Return a body that holds the secret in several places."""
    texts = (
        st.text(max_size=8) | st.just(secret) | st.text(" ,;:.!\"'{}", max_size=3).map(lambda gap: gap + secret + gap)
    )
    values = st.recursive(
        texts | st.none() | st.booleans() | st.integers(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
        max_leaves=12,
    )
    return draw(st.dictionaries(texts | st.sampled_from(sorted(FIELDS)), values, max_size=6))


@given(st.data(), long_secrets)
def test_no_place_keeps_a_secret_of_ours(data: st.DataObject, secret: str) -> None:
    assert secret not in write_json(redact(data.draw(bodies_with(secret)), known=FIELDS))


@given(st.data(), st.text("abcXYZ019!?#", min_size=4, max_size=12).filter(lambda text: text not in REMOVED))
def test_no_place_keeps_what_the_field_secret_holds(data: st.DataObject, secret: str) -> None:
    fields = data.draw(bodies_with(secret)) | {"secret": secret}
    assert secret not in write_json(redact(fields, known=FIELDS))


@given(st.binary())
def test_hashes_are_removed_too(content: bytes) -> None:
    assert redact({"winRate": hashlib.sha256(content).hexdigest()}, known=FIELDS) == {"winRate": REMOVED}


class Noted(dict[str, Any]):
    """The fields of an alert, which note the names that the reader asks for."""

    def __init__(self, fields: dict[str, Any]) -> None:
        super().__init__(fields)
        self.asked: set[str] = set()

    def get(self, name: str, default: Any = None) -> Any:
        self.asked.add(name)
        return super().get(name, default)


def test_values_that_stay_are_those_that_the_webhook_reads() -> None:
    asked: set[str] = set()
    usual = {"strategy": STRATEGY_ID, "orderPrice": "2", "stop": "1", "stopType": "market", "takeProfit": "3"}
    for kind in ("buy", "update", "reduce", "close", "hold"):
        fields = Noted(usual | {"type": kind})
        with contextlib.suppress(RequestUnprocessable):
            parse_alert(fields)
        asked |= fields.asked
    assert asked - {"secret"} == FIELDS
