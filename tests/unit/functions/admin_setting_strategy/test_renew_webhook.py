from __future__ import annotations

import hashlib
import json

import pytest

from functions.admin_setting_strategy.app import lambda_handler
from shared.models.strategy import Strategy
from tests.unit.admin_requests import sample, send, with_body
from tests.unit.records import STARTED_AT, STRATEGY_ID, a_strategy

EVENT = "admin_setting_strategy/renew_webhook"

pytestmark = pytest.mark.usefixtures("admin_api")


def test_secret_is_shown_once_and_only_its_hash_is_stored() -> None:
    a_strategy()
    answer = send(lambda_handler, sample(EVENT))
    assert answer.status == 200
    assert set(answer.body) == {"secret", "url", "message"}
    secret = answer.body["secret"]
    assert len(secret) >= 43
    strategy = Strategy.get(STRATEGY_ID)
    assert strategy.webhook_secret_hash == hashlib.sha256(secret.encode()).hexdigest()
    assert strategy.updated_at > STARTED_AT
    assert secret not in send(lambda_handler, sample("admin_setting_strategy/list_strategies")).text


def test_message_is_the_json_to_paste_into_an_alert() -> None:
    a_strategy()
    body = send(lambda_handler, sample(EVENT)).body
    assert body["url"] == "https://hooks.example.com/v1/webhook/strategy"
    message = json.loads(body["message"])
    assert (message["strategy"], message["secret"]) == (STRATEGY_ID, body["secret"])
    assert message["orderPrice"] == "{{close}}"
    assert message["type"] == "{{strategy.order.action}}"
    assert message["firedAt"] == "{{timenow}}"
    assert {"stop", "stopType", "takeProfit1"} <= set(message)


def test_old_secret_is_refused_once_there_is_a_new_one() -> None:
    a_strategy()
    first = send(lambda_handler, sample(EVENT)).body["secret"]
    second = send(lambda_handler, sample(EVENT)).body["secret"]
    assert first != second
    assert Strategy.get(STRATEGY_ID).webhook_secret_hash == hashlib.sha256(second.encode()).hexdigest()


def test_body_is_ignored() -> None:
    a_strategy()
    assert send(lambda_handler, with_body(sample(EVENT), "{ no json")).status == 200


def test_unknown_strategy_is_not_found_and_not_created() -> None:
    answer = send(lambda_handler, sample(EVENT))
    assert (answer.status, answer.body) == (404, {"message": "route not found"})
    assert Strategy.find(STRATEGY_ID) is None
