"""Our check of the signature, compared with Stripe's own library."""

from __future__ import annotations

import hmac
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import stripe
from hypothesis import given
from hypothesis import strategies as st

from shared.billing.signature import TOLERANCE, check_signature, read_secrets
from shared.errors import RequestInvalid, ServiceUnavailable

SECRET = "whsec_of_this_test"
NOW = datetime(2026, 1, 1, tzinfo=UTC)
BODY = b'{"id": "evt_1"}'


def signed(body: bytes = BODY, *, secret: str = SECRET, at: datetime = NOW) -> str:
    """Return the header that Stripe's library creates."""
    made: str = stripe.WebhookSignature.generate_signature_header(body.decode(), secret, int(at.timestamp()))
    return made


def is_taken(header: str, body: bytes = BODY, *, secrets: tuple[str, ...] = (SECRET,), at: datetime = NOW) -> bool:
    try:
        check_signature(header, body, secrets=secrets, at=at)
    except RequestInvalid:
        return False
    return True


@given(body=st.text(st.characters(codec="utf-8")), secret=st.text(st.characters(codec="utf-8"), min_size=1))
def test_signature_of_the_library_is_accepted(body: str, secret: str) -> None:
    header = signed(body.encode(), secret=secret)
    assert is_taken(header, body.encode(), secrets=(secret,))
    assert not is_taken(header, body.encode() + b" ", secrets=(secret,))
    assert not is_taken(header, body.encode(), secrets=(secret + "x",))


@given(header=st.one_of(st.text(max_size=80), st.from_regex(r"(t=[0-9]{0,14},?){0,2}(v[01]=[0-9a-f]{0,64},?){0,3}")))
def test_made_up_header_is_refused(header: str) -> None:
    assert not is_taken(header)


@pytest.mark.parametrize("age", [timedelta(0), TOLERANCE, -TOLERANCE])
def test_signature_within_five_minutes_is_accepted(age: timedelta) -> None:
    assert is_taken(signed(at=NOW - age))


@pytest.mark.parametrize("age", [TOLERANCE + timedelta(seconds=1), -TOLERANCE - timedelta(seconds=1)])
def test_signature_outside_five_minutes_is_refused(age: timedelta) -> None:
    assert not is_taken(signed(at=NOW - age))


def test_changed_time_is_refused() -> None:
    old = signed(at=NOW - timedelta(hours=1))
    assert not is_taken(old.replace(old.split(",")[0], f"t={int(NOW.timestamp())}"))


def test_while_a_secret_is_rolled_either_signature_is_accepted() -> None:
    old, new = signed(secret="whsec_old"), signed(secret="whsec_new").split(",")[1]
    both = f"{old},{new},v0={'0' * 64}"
    assert is_taken(both, secrets=("whsec_old",))
    assert is_taken(both, secrets=("whsec_new",))
    assert is_taken(old, secrets=("whsec_new", "whsec_old"))
    assert not is_taken(old, secrets=("whsec_new",))


def test_signature_of_another_scheme_is_ignored() -> None:
    assert not is_taken(signed().replace("v1=", "v0="))
    assert not is_taken(signed().replace("v1=", "v2="))


@pytest.mark.parametrize("secrets", [(SECRET,), ("whsec_old", SECRET)])
def test_each_secret_costs_one_hmac_however_many_signatures_are_listed(
    secrets: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[bytes] = []
    new = hmac.new

    def count(key: bytes, *rest: Any) -> hmac.HMAC:
        made.append(key)
        return new(key, *rest)

    valid = signed().split(",")[1]
    listed = "v1=0," * 390
    monkeypatch.setattr(hmac, "new", count)
    assert not is_taken(f"t={int(NOW.timestamp())},{listed}v1=1", secrets=secrets)
    assert made == [secret.encode() for secret in secrets]
    assert is_taken(f"t={int(NOW.timestamp())},{listed}{valid}", secrets=secrets)


def test_header_with_two_times_is_refused() -> None:
    assert not is_taken(f"t=1,{signed()}")


@pytest.mark.parametrize("text", ["whsec_a,whsec_b", "whsec_a\nwhsec_b\n", " whsec_a , whsec_b "])
def test_a_parameter_may_hold_several_secrets(text: str) -> None:
    assert read_secrets(text) == ("whsec_a", "whsec_b")


@pytest.mark.parametrize("text", ["", " ", ",\n"])
def test_parameter_without_a_secret_is_refused(text: str) -> None:
    with pytest.raises(ServiceUnavailable):
        read_secrets(text)
