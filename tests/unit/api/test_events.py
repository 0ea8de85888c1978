from __future__ import annotations

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.api.events import header_of, raw_body_of, route_of
from shared.errors import RequestInvalid

MAX_BYTES = 1024


def sent(body: bytes, *, encoded: bool) -> dict[str, Any]:
    text = base64.b64encode(body).decode() if encoded else body.decode(errors="surrogatepass")
    return {"body": text, "isBase64Encoded": encoded}


@given(st.binary(max_size=MAX_BYTES))
def test_bytes_come_through_as_they_were_sent(body: bytes) -> None:
    assert raw_body_of(sent(body, encoded=True), max_bytes=MAX_BYTES) == body


@given(st.text(st.characters(), max_size=MAX_BYTES // 4))
def test_text_comes_through_as_it_was_sent(body: str) -> None:
    raw = body.encode(errors="surrogatepass")
    assert raw_body_of(sent(raw, encoded=False), max_bytes=MAX_BYTES) == raw


@pytest.mark.parametrize("encoded", [False, True])
@pytest.mark.parametrize("character", ["x", "é", "漢", "😀"])
def test_limit_counts_bytes_whatever_the_characters(encoded: bool, character: str) -> None:
    one = character.encode()
    fits = one * (MAX_BYTES // len(one))
    assert raw_body_of(sent(fits, encoded=encoded), max_bytes=MAX_BYTES) == fits
    with pytest.raises(RequestInvalid, match="at most 1 KiB"):
        raw_body_of(sent(fits + one, encoded=encoded), max_bytes=MAX_BYTES)


def test_flood_is_refused_before_it_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base64, "b64decode", pytest.fail)
    with pytest.raises(RequestInvalid, match="at most 1 KiB"):
        raw_body_of({"body": "A" * 4 * MAX_BYTES, "isBase64Encoded": True}, max_bytes=MAX_BYTES)


@pytest.mark.parametrize("body", ["{", "ä", "\ud800", "AAA", "A A="])
def test_body_that_is_not_the_base64_it_should_be_is_refused(body: str) -> None:
    with pytest.raises(RequestInvalid, match="must be JSON"):
        raw_body_of({"body": body, "isBase64Encoded": True}, max_bytes=MAX_BYTES)


@pytest.mark.parametrize("event", [{}, {"body": None}, {"body": ""}, {"body": None, "isBase64Encoded": True}])
def test_request_without_a_body_has_an_empty_one(event: dict[str, Any]) -> None:
    assert raw_body_of(event, max_bytes=MAX_BYTES) == b""


@pytest.mark.parametrize(
    ("event", "route"),
    [
        ({"requestContext": {"http": {"method": "POST", "path": "/b"}}, "rawPath": "/a"}, ("POST", "/a")),
        ({"requestContext": {"http": {"method": "GET", "path": "/b"}}}, ("GET", "/b")),
        ({"httpMethod": "POST", "path": "/a", "requestContext": {}}, ("POST", "/a")),
        ({"requestContext": None}, ("", "")),
    ],
)
def test_route_is_read_from_either_payload(event: dict[str, Any], route: tuple[str, str]) -> None:
    assert route_of(event) == route


@pytest.mark.parametrize("name", ["X-Token", "x-token", "X-TOKEN"])
def test_header_is_found_however_it_is_written(name: str) -> None:
    assert header_of({"headers": {"accept": "*/*", name: "abc"}}, "x-token") == "abc"


@pytest.mark.parametrize("event", [{}, {"headers": None}, {"headers": {"x-tokens": "abc"}}])
def test_header_that_was_not_sent_is_none(event: dict[str, Any]) -> None:
    assert header_of(event, "x-token") is None
