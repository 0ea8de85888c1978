"""An admin replaces a strategy's report key: the exchange is asked first, and the secret is sealed."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from functions.admin_setting_strategy.app import lambda_handler
from shared import secrets
from shared.errors import ExchangeUnavailable
from shared.models.strategy import Strategy
from tests.unit.admin_requests import Answer, fault, sample, send, with_body
from tests.unit.functions.admin_setting_strategy.exchange import Exchange
from tests.unit.records import STRATEGY_ID, a_strategy

EVENT = "admin_setting_strategy/replace_report_key"

pytestmark = pytest.mark.usefixtures("admin_api")


def replace(body: Any = None) -> Answer:
    event = sample(EVENT)
    return send(lambda_handler, event if body is None else with_body(event, body))


SENT: dict[str, str] = json.loads(sample(EVENT)["body"])
API_KEY, SECRET = SENT["reportExchangeApiKey"], SENT["reportExchangeApiSecretKey"]


def test_new_key_replaces_the_old_one_and_its_secret_is_sealed(log: io.StringIO) -> None:
    a_strategy()
    answer = replace()
    assert (answer.status, answer.body["reportExchangeApiKey"]) == (200, API_KEY)
    strategy = Strategy.get(STRATEGY_ID)
    assert strategy.report_api_key == API_KEY
    assert (
        secrets.unseal(strategy.report_secret_ciphertext, kind=secrets.SecretKind.REPORT_KEY, owner_id=STRATEGY_ID)
        == SECRET
    )
    assert SECRET not in answer.text + log.getvalue()
    # A repeat changes no more than the time.
    assert replace().body | {"updatedAt": ""} == answer.body | {"updatedAt": ""}


@pytest.mark.parametrize(
    ("broken", "status"), [("refused", 433), ("unreachable", 503)], ids=["refused by the exchange", "out of reach"]
)
def test_key_that_cannot_be_verified_changes_nothing(exchange: Exchange, broken: str, status: int) -> None:
    before = a_strategy().to_dynamodb_dict()
    if broken == "refused":
        exchange.refused_keys = {API_KEY}
    else:
        exchange.error = ExchangeUnavailable()
    answer = replace()
    assert answer.status == status
    if broken == "refused":
        assert answer.body == {"error": "exchange API authorization failed (1103)"}
    assert Strategy.get(STRATEGY_ID).to_dynamodb_dict() == before


def test_key_without_its_secret_is_a_fault() -> None:
    a_strategy()
    answer = replace({"reportExchangeApiKey": API_KEY})
    assert answer.status == 422
    assert answer.body["errors"] == [fault("must be API secret key", "reportExchangeApiSecretKey", "body")]


def test_unknown_strategy_is_404_before_its_body_is_read() -> None:
    assert replace("{").status == 404
