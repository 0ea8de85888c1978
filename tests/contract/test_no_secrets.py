"""No secret of the whole run stands in an answer, a log line or a table: read when everything else is over."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import pytest

from local import stripe
from local.stack.deploy import client
from local.stack.places import ROOT, STACK_NAME
from shared.models.exchange_key import ExchangeKey
from shared.models.strategy import Strategy
from shared.secrets import SecretKind, unseal
from tests.contract.world import World
from tests.system.stack_client import FollowedStrategy, Stack

pytestmark = pytest.mark.looks_back

RENEWAL = "/webhook"
"""The end of the one path whose answer shows a secret: a strategy's new one, this once."""

SHORTEST = 8
"""What is shorter stands in any text by chance; the documentation's own example secret is such a word."""


@pytest.fixture(scope="module")
def secrets(world: World) -> set[str]:
    """Return every secret that the run has used, each kind once however few tests ran before."""
    use_each_kind_of_secret(world.stack)
    session, known = world.stack.session, set(world.stack.heard.secrets)
    known |= {
        session["adminToken"],
        session["userToken"],
        session["webhookSecret"],
        stripe.API_KEY,
        stripe.WEBHOOK_SECRET,
    }
    known |= {follower["api_secret"] for follower in world.stack.running.seeded["followers"]}
    for key in ExchangeKey.scan():
        known.add(unseal(key.secret_ciphertext, kind=SecretKind.EXCHANGE_KEY, owner_id=key.id))
    for strategy in Strategy.scan():
        known.add(unseal(strategy.report_secret_ciphertext, kind=SecretKind.REPORT_KEY, owner_id=strategy.id))
    for request, answer in world.stack.heard.answers:
        if request.endswith(RENEWAL) and answer.status == 200:
            known.add(answer.json()["secret"])
    # What the API's document shows as an example is sent by tests, and is no secret. All others are made at random.
    shown = (ROOT / "docs" / "openapi.json").read_text(encoding="utf-8")
    known = {secret for secret in known if len(secret) >= SHORTEST and f'"{secret}"' not in shown}
    assert len(known) > 8
    return known


def use_each_kind_of_secret(stack: Stack) -> None:
    strategy: FollowedStrategy = stack.add_strategy("CONFIDENTIAL", followers=1)
    assert stack.webhook(strategy.alert(stopType="none")).status == 422
    assert stack.webhook(strategy.alert(secret=stack.session["webhookSecret"])).status == 401
    wrong: Any = {"reportExchangeApiSecretKey": [strategy.webhook_secret], "webhookSecret": strategy.webhook_secret}
    assert stack.api("POST", "/v1/admin/setting/strategy", body=wrong).status == 422
    trigger_id = strategy.fire()
    strategy.wait_until_all(trigger_id, "PROTECTED")
    assert stack.api("POST", f"/v1/admin/setting/strategy/{strategy.strategy_id}/webhook").status == 200
    plan = {"name": "CONFIDENTIAL", "monthlyPriceUSD": 1, "maxBalanceUSD": 1, "maxApiKey": 1}
    assert stack.api("POST", "/v1/admin/subscription", body=plan).status == 200


def found_in(texts: Iterator[tuple[str, str]], secrets: set[str]) -> list[str]:
    """Return where a secret stands, without saying which; a token's signature alone counts too."""
    parts = secrets | {secret.rpartition(".")[2] for secret in secrets if secret.count(".") == 2}
    return [where for where, text in texts if any(part in text for part in parts)]


def log_lines(stack: Stack) -> Iterator[tuple[str, str]]:
    """Return everything that was logged: by the functions, and by every process of the stack."""
    logs = client("logs", stack.running.places)
    for group in logs.get_paginator("describe_log_groups").paginate().search("logGroups[]"):
        name = group["logGroupName"]
        for event in logs.get_paginator("filter_log_events").paginate(logGroupName=name).search("events[]"):
            yield f"{name}: {event['message'][:80]}", event["message"]
    for file in stack.running.places.logs.iterdir():
        for number, line in enumerate(file.read_text(encoding="utf-8", errors="replace").splitlines(), start=1):
            yield f"{file.name}:{number}", line


def items(stack: Stack) -> Iterator[tuple[str, str]]:
    """Return every record of every table."""
    dynamodb = client("dynamodb", stack.running.places)
    for table in dynamodb.get_paginator("list_tables").paginate().search("TableNames[]"):
        assert table.startswith(STACK_NAME)
        for item in dynamodb.get_paginator("scan").paginate(TableName=table).search("Items[]"):
            yield table, str(item)


def test_no_answer_holds_a_secret(stack: Stack, secrets: set[str]) -> None:
    answers = (
        (request, f"{answer.text} {answer.headers}")
        for request, answer in stack.heard.answers
        if not (request.endswith(RENEWAL) and answer.status == 200)
    )
    assert not found_in(answers, secrets)
    # The one that may shows its own and nobody else's.
    renewals = [one for one in stack.heard.answers if one[0].endswith(RENEWAL) and one[1].status == 200]
    assert renewals
    for request, answer in renewals:
        assert not found_in(iter([(request, answer.text)]), secrets - {answer.json()["secret"]})


def test_no_log_line_holds_a_secret(stack: Stack, secrets: set[str]) -> None:
    lines = list(log_lines(stack))
    assert any("order_placed" in text or "request_answered" in text for _, text in lines)
    assert not found_in(iter(lines), secrets)


def test_no_table_holds_a_secret_that_can_be_read(stack: Stack, secrets: set[str]) -> None:
    records = list(items(stack))
    assert records
    encoded = {base64.b64encode(secret.encode()).decode() for secret in secrets}
    assert not found_in(iter(records), secrets | encoded)
