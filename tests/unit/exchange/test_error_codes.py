"""The error class of each of the exchange's codes and HTTP statuses."""

from __future__ import annotations

import json

import pytest

from shared.errors import (
    AddressBanned,
    AddressRestricted,
    ClockSkewed,
    ExchangeAuthorizationFailed,
    ExchangeError,
    ExchangeRejected,
    ExchangeThrottled,
    ExchangeUnavailable,
    InsufficientMargin,
    OrderRateExceeded,
    OrderUnknown,
    OutcomeUnknown,
    StopWouldTrigger,
)
from shared.exchange import weights
from shared.exchange.server_clock import server_clock
from shared.exchange.transport import raise_for_answer

ANSWERS: list[tuple[int, int | None, str, type[ExchangeError]]] = [
    (400, -2019, "Margin is insufficient.", InsufficientMargin),
    (400, -2021, "Order would immediately trigger.", StopWouldTrigger),
    (400, -2011, "Unknown order sent.", OrderUnknown),
    (400, -2013, "Order does not exist.", OrderUnknown),
    (400, -1111, "Precision is over the maximum.", ExchangeRejected),
    (400, -4164, "Order's notional must be no smaller than 100.", ExchangeRejected),
    (400, -1021, "Timestamp for this request is outside of the recvWindow.", ClockSkewed),
    (401, -2015, "Invalid API-key, IP, or permissions for action.", ExchangeAuthorizationFailed),
    (401, -2014, "API-key format invalid.", ExchangeAuthorizationFailed),
    (400, -1022, "Signature for this request is not valid.", ExchangeAuthorizationFailed),
    (429, -1003, "Too many requests.", ExchangeThrottled),
    (418, -1003, "Way too many requests; IP banned.", AddressBanned),
    (429, -1015, "Too many new orders.", OrderRateExceeded),
    (403, None, "Forbidden by the firewall.", ExchangeThrottled),
    (451, None, "Service unavailable from a restricted location.", AddressRestricted),
    (503, -1008, "Server is currently overloaded.", ExchangeUnavailable),
    (503, None, "Service Unavailable.", ExchangeUnavailable),
    (503, None, "Unknown error, please check your request or try again later.", OutcomeUnknown),
    (504, None, "", OutcomeUnknown),
    (502, None, "Bad Gateway", OutcomeUnknown),
    (500, None, "Internal Server Error", OutcomeUnknown),
    (408, -1007, "Timeout waiting for response from backend server.", OutcomeUnknown),
    (400, -1001, "Internal error; unable to process your request.", OutcomeUnknown),
    (400, -1000, "An unknown error occurred while processing the request.", OutcomeUnknown),
    (400, -1006, "An unexpected response was received from the message bus.", OutcomeUnknown),
    # An answer of 200 that carries an error all the same.
    (200, -2011, "Unknown order sent.", OrderUnknown),
]


@pytest.mark.parametrize(("status", "code", "text", "expected"), ANSWERS)
def test_answer_becomes_the_class_that_says_what_to_do(
    status: int, code: int | None, text: str, expected: type[ExchangeError]
) -> None:
    body = json.dumps({"code": code, "msg": text}) if code is not None else json.dumps({"msg": text})

    with pytest.raises(ExchangeError) as caught:
        raise_for_answer(status=status, body=body)

    assert type(caught.value) is expected
    assert caught.value.code == code


@pytest.mark.parametrize("body", ['{"orderId": 1}', '{"code": 200, "msg": "success"}', "[]", '{"code": "200"}'])
def test_success_is_no_error(body: str) -> None:
    raise_for_answer(status=200, body=body)


@pytest.mark.parametrize("body", ["<html>502</html>", "", '{"orderId": 1'])
def test_server_error_that_is_not_json_leaves_the_outcome_unknown(body: str) -> None:
    with pytest.raises(OutcomeUnknown):
        raise_for_answer(status=502, body=body)


def test_requested_pause_is_observed() -> None:
    with pytest.raises(ExchangeThrottled) as caught:
        raise_for_answer(status=429, body="{}", headers={"Retry-After": "17"})

    assert caught.value.retry_after_s == 17


def test_ban_lasts_as_long_as_its_header_or_its_text_says() -> None:
    until_ms = server_clock.now_ms() + 90_000
    body = json.dumps({"code": -1003, "msg": f"Way too many requests; IP banned until {until_ms}."})
    waits = []
    for headers in ({}, {"retry-after": "30"}, {"Retry-After": "200"}):
        with pytest.raises(AddressBanned) as caught:
            raise_for_answer(status=418, body=body, headers=headers)
        waits.append(caught.value.retry_after_s)

    assert waits == [pytest.approx(90, abs=1), pytest.approx(90, abs=1), 200]


def test_ban_without_an_end_lasts_as_long_as_the_shortest() -> None:
    with pytest.raises(AddressBanned) as caught:
        raise_for_answer(status=418, body="")

    assert caught.value.retry_after_s == 120


def test_throttling_without_an_end_lasts_until_the_next_window(monkeypatch: pytest.MonkeyPatch) -> None:
    window_ms = 24 * 3600 * 1000
    monkeypatch.setattr(weights, "WINDOW_MS", window_ms)
    with pytest.raises(ExchangeThrottled) as caught:
        raise_for_answer(status=429, body="{}")

    left_s = (window_ms - server_clock.now_ms() % window_ms) / 1000
    assert caught.value.retry_after_s == pytest.approx(left_s, abs=2)


def test_error_text_is_cut_and_carries_no_request() -> None:
    with pytest.raises(ExchangeRejected) as caught:
        raise_for_answer(status=400, body=json.dumps({"code": -1, "msg": "x" * 5000}))

    assert len(str(caught.value)) < 300
