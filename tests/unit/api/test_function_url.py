from __future__ import annotations

import json
from typing import Any

import pytest

from shared.api.function_url import Answer, answer_request
from tests.lambda_context import FakeContext


def test_answer_carries_its_request_id() -> None:
    context: Any = FakeContext()
    response = answer_request({}, context, lambda _: Answer(200, {"id": "a"}), failure="failed")
    assert response["statusCode"] == 200
    assert response["headers"] == {"content-type": "application/json", "x-request-id": context.aws_request_id}
    assert json.loads(response["body"]) == {"id": "a"}


def test_errors_are_counted_and_not_revealed(capsys: pytest.CaptureFixture[str]) -> None:
    def fail(_: object) -> Answer:
        raise RuntimeError("secret in it")

    context: Any = FakeContext()
    response = answer_request({}, context, fail, failure="alert_failed")
    assert response["statusCode"] == 500
    assert json.loads(response["body"]) == {"message": "internal server error"}
    output = capsys.readouterr()
    assert "alert_failed" in output.out
    assert "secret in it" not in output.out + output.err


def test_answer_that_cannot_be_written_is_our_failure() -> None:
    context: Any = FakeContext()
    response = answer_request({}, context, lambda _: Answer(200, {"id": object()}), failure="alert_failed")
    assert (response["statusCode"], response["headers"]["x-request-id"]) == (500, context.aws_request_id)
    assert json.loads(response["body"]) == {"message": "internal server error"}
