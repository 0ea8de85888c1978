"""An admin sets a strategy's own rules: what is not named stays, and null is the default."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from functions.admin_setting_strategy.app import lambda_handler
from shared.models.strategy import Strategy
from tests.unit.admin_requests import Answer, fault, sample, send, with_body
from tests.unit.records import STARTED_AT, STRATEGY_ID, a_strategy

CHANGE = "admin_setting_strategy/change_rules"
NONE = {"breakevenAfter": None, "takeProfitWeights": None, "maxChase": None, "expectEvery": None}
SENT: dict[str, Any] = json.loads(sample(CHANGE)["body"])

pytestmark = pytest.mark.usefixtures("admin_api")


def change(body: Any = None) -> Answer:
    event = sample(CHANGE)
    return send(lambda_handler, event if body is None else with_body(event, body))


def shown() -> Any:
    return send(lambda_handler, sample("admin_setting_strategy/show_rules")).body


def test_strategy_without_rules_shows_the_defaults() -> None:
    a_strategy()
    assert shown() == NONE


def test_rules_are_stored_and_a_repeat_changes_nothing_more() -> None:
    a_strategy()
    first = change()
    assert (first.status, first.body) == (200, SENT | {"maxChase": Decimal("0.5")})
    assert change().body == first.body == shown()
    strategy = Strategy.get(STRATEGY_ID)
    assert (strategy.breakeven_after, strategy.expect_every) == (1, 1440)
    assert strategy.take_profit_weights == [50, 30, 20]
    assert strategy.max_chase == Decimal("0.5")
    assert strategy.updated_at > STARTED_AT


def test_rule_that_is_not_named_stays_and_null_is_the_default() -> None:
    a_strategy()
    change()
    assert change({"takeProfitWeights": None, "breakevenAfter": 2}).body == SENT | {
        "takeProfitWeights": None,
        "breakevenAfter": 2,
        "maxChase": Decimal("0.5"),
    }
    assert change(NONE).body == NONE == shown()


def test_nothing_else_of_the_strategy_changes() -> None:
    before = a_strategy().to_dynamodb_dict()
    change()
    change(NONE)
    after = Strategy.get(STRATEGY_ID).to_dynamodb_dict()
    assert after | {"updated_at": before["updated_at"]} == before


@pytest.mark.parametrize(
    ("field", "value", "message", "param"),
    [
        *(("breakevenAfter", value, "must be null or integer from 1 to 4", None) for value in (0, 5, 1.5, "1", True)),
        *(
            ("takeProfitWeights", value, "must be null or list of 1 to 4 percentages", None)
            for value in ([], [20, 20, 20, 20, 20], "50", 100)
        ),
        *(
            ("takeProfitWeights", value, "must be percentages with a sum of 100", None)
            for value in ([50, 30], [50.5, 50], [1])
        ),
        ("takeProfitWeights", [100, 0], "must be greater than 0 and at most 100", "takeProfitWeights[1]"),
        ("takeProfitWeights", ["50", 50], "must be greater than 0 and at most 100", "takeProfitWeights[0]"),
        *(
            ("maxChase", value, "must be null or greater than 0 and at most 1", None)
            for value in (0, -0.3, 1.01, 30, "0.3")
        ),
        *(("expectEvery", value, "must be null or integer from 1 to 44640", None) for value in (0, 44641, "PT1H", 0.5)),
    ],
)
def test_wrong_rule_is_a_fault_and_changes_nothing(field: str, value: Any, message: str, param: str | None) -> None:
    before = a_strategy().to_dynamodb_dict()
    answer = change({"breakevenAfter": 3, field: value})
    assert answer.status == 422
    [found] = answer.body["errors"]
    assert {name: found[name] for name in ("msg", "param", "location")} == fault(message, param or field, "body")
    assert Strategy.get(STRATEGY_ID).to_dynamodb_dict() == before


def test_every_fault_is_named_at_once() -> None:
    a_strategy()
    answer = change({"breakevenAfter": 9, "takeProfitWeights": [1], "maxChase": 2, "expectEvery": 0, "stop": 1})
    assert [found["param"] for found in answer.body["errors"]] == [*NONE, "stop"]


@pytest.mark.parametrize("name", ["show_rules", "change_rules"])
def test_unknown_strategy_is_404(name: str) -> None:
    event = sample(f"admin_setting_strategy/{name}")
    assert send(lambda_handler, event if name == "show_rules" else with_body(event, "{")).status == 404
    assert Strategy.find(STRATEGY_ID) is None
