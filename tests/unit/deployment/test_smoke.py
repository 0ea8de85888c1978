"""`make smoke`: failures are told one by one, and nothing that trades is left whatever fails."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from local.deployment import smoke as command
from local.deployment.account import OpenedStack
from local.deployment.smoke import READS, Smoke
from local.deployment.stages import Stage, read_stage

OUTPUTS = {
    "ApiUrl": "https://api/live",
    "WebhookUrl": "https://webhook/v1/webhook/strategy",
    "StrategyFunctionUrl": "https://function/",
    "TablePrefix": "lockstep-",
}


class Aws:
    """The clients of an account in which a stage is deployed."""

    def __init__(self, *, clock_offset_ms: int = 20) -> None:
        self.strategies: dict[str, Any] = {}
        self.invoked: list[Any] = []
        self._clock_offset_ms = clock_offset_ms

    def __call__(self, _: str) -> Aws:
        return self

    def describe_stacks(self, **_: Any) -> Any:
        outputs = [{"OutputKey": key, "OutputValue": value} for key, value in OUTPUTS.items()]
        return {"Stacks": [{"StackName": "lockstep", "Outputs": outputs}]}

    def get_paginator(self, operation: str) -> Any:
        aws = self

        class Pages:
            def paginate(self, **_: Any) -> Any:
                pages = {"describe_stacks": [aws.describe_stacks()]}
                return pages.get(operation, [{"StackResourceSummaries": []}])

        return Pages()

    def describe_stack_resource(self, **request: Any) -> Any:
        return {"StackResourceDetail": {"PhysicalResourceId": request["LogicalResourceId"]}}

    def invoke(self, **request: Any) -> Any:
        assert request["Qualifier"] == "live"
        self.invoked.append(request["FunctionName"])
        answer: dict[str, Any] = {"statusCode": 404}
        if request["FunctionName"] == "OrderExecutor":
            answer = {"lane": "lane-1", "clock_offset_ms": self._clock_offset_ms}
        return {"Payload": io.BytesIO(json.dumps(answer).encode())}

    def put_item(self, **request: Any) -> None:
        self.strategies[request["Item"]["id"]["S"]] = request["Item"]

    def delete_item(self, **request: Any) -> None:
        del self.strategies[request["Key"]["id"]["S"]]

    def get_item(self, **_: Any) -> Any:
        return {"Item": {"fanout_state": {"S": "DONE"}}}


class Web:
    """Answers requests with these statuses, and keeps what was asked."""

    def __init__(self, *, without_token: int = 401, webhook: int = 200) -> None:
        self.tokens: dict[str, str] = {}
        self.alerts: list[tuple[str, dict[str, str]]] = []
        self._without_token = without_token
        self._webhook = webhook

    def __call__(self, method: str, url: str, *, headers: Any = None, body: Any = None) -> tuple[int, str]:
        if method == "POST":
            self.alerts.append((url, dict(headers or {})))
            return self._webhook, json.dumps({"id": "trigger"})
        path = url.removeprefix("https://api/live")
        token = (headers or {}).get("Authorization", "")
        self.tokens[path] = token
        wanted = {path: status for _, path, status in READS.values()}
        return (wanted[path] if token else self._without_token), "{}"


def run(
    aws: Aws, web: Web, monkeypatch: pytest.MonkeyPatch, *, stage: Stage | None = None, **environment: str
) -> tuple[int, list[str]]:
    monkeypatch.setattr(command, "_request", web)
    told: list[str] = []
    opened = OpenedStack("lockstep", aws, stage=stage or read_stage("prod"))
    return Smoke(opened, environment, write=lambda line: told.append(str(line))).run(), told


def test_stage_is_tried_without_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    aws = Aws()
    status, told = run(aws, Web(), monkeypatch)
    assert (status, told[-1]) == (0, "all well")
    assert set(aws.invoked) == {*READS, "OrderExecutor"}
    assert aws.strategies == {}


def test_tokens_that_are_given_are_used_for_their_own_api(monkeypatch: pytest.MonkeyPatch) -> None:
    aws, web = Aws(), Web()
    status, _ = run(aws, web, monkeypatch, ADMIN_TOKEN="admin", USER_TOKEN="user")
    assert status == 0
    assert web.tokens == {path: whose for whose, path, _ in READS.values()}
    assert aws.invoked == ["OrderExecutor"]


def test_api_that_answers_without_a_token_is_a_failure_and_the_rest_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    status, told = run(Aws(), Web(without_token=200), monkeypatch)
    assert status == 1
    assert told[-1] == f"{len(READS)} failed"
    assert len([line for line in told if line.startswith("ok")]) == 2


def test_clock_that_the_exchange_would_refuse_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    status, told = run(Aws(clock_offset_ms=-1500), Web(), monkeypatch)
    assert (status, told[-1]) == (1, "1 failed")
    assert any("differs by -1500 ms" in line for line in told)


def test_strategy_is_deleted_when_the_alert_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    aws = Aws()
    status, told = run(aws, Web(webhook=503), monkeypatch)
    assert status == 1
    assert any("the webhook answered 503" in line for line in told)
    assert aws.strategies == {}


def test_alert_goes_to_the_function_itself_where_the_firewall_refuses_operators(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    known, web = read_stage("prod"), Web()
    overrides = {**known.overrides, "WebhookDomainName": "hooks.example.com"}
    monkeypatch.setattr(command, "headers_as_edge", lambda *_: {"X-Edge-Secret": "secret"})
    status, _ = run(Aws(), web, monkeypatch, stage=Stage("prod", known.stack_name, known.region, overrides))
    assert status == 0
    assert web.alerts == [("https://function/v1/webhook/strategy", {"X-Edge-Secret": "secret"})]
