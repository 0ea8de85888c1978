from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from functions.admin_setting_strategy.app import lambda_handler
from shared.models.risk_profile import RiskProfile
from tests.unit.admin_requests import Answer, fault, sample, send, with_body
from tests.unit.records import a_risk_profile, id_of

pytestmark = pytest.mark.usefixtures("admin_api")

PROFILE_ID = "ab00673a-cd19-44d4-a7c4-05c63e309663"
MUST = "must be greater than 0 and at most 100"
CREATE, UPDATE = "admin_setting_strategy/create_risk_profile", "admin_setting_strategy/update_risk_profile"


def create(body: Any) -> Answer:
    return send(lambda_handler, with_body(sample(CREATE), body))


def update(body: Any, profile_id: str = PROFILE_ID) -> Answer:
    return send(lambda_handler, with_body(sample(UPDATE, path=(PROFILE_ID, profile_id)), body))


def listed() -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = send(lambda_handler, sample("admin_setting_strategy/list_risk_profiles")).body[
        "items"
    ]
    return items


def test_profile_is_created_as_documented() -> None:
    answer = send(lambda_handler, sample(CREATE))
    assert answer.status == 200
    body = answer.body
    assert body == {
        "id": body["id"],
        "name": "CONSERVATIVE",
        "percentage": Decimal("1.5"),
        "createdAt": body["createdAt"],
        "updatedAt": body["createdAt"],
    }
    assert listed() == [body]


@pytest.mark.parametrize(
    ("fields", "stored"),
    [
        ({"percentage": 2}, "2"),
        ({"percent": 100}, "100"),
        ({"percent": Decimal("0.25"), "percentage": Decimal("0.25")}, "0.25"),
        ({"percentage": 3, "percent": Decimal("3.0")}, "3"),
    ],
    ids=str,
)
def test_both_names_of_the_percentage_are_taken(fields: dict[str, Any], stored: str) -> None:
    body = {"name": "MODERATE"} | {name: float(v) if isinstance(v, Decimal) else v for name, v in fields.items()}
    assert create(body).body["percentage"] == Decimal(stored)


@pytest.mark.parametrize("change", [create, lambda body: update({"percentage": 50, "percent": body["percent"]})])
def test_two_percentages_that_differ_contradict_each_other(change: Callable[[Any], Answer]) -> None:
    a_risk_profile(PROFILE_ID)
    before = listed()
    answer = change({"name": "MODERATE", "percent": 2, "percentage": 50})
    assert answer.status == 422
    assert answer.body == {"errors": [fault("must agree with percentage", "percent", "body", value=2)]}
    assert listed() == before


@pytest.mark.parametrize("value", [0, 101, "2", None, True, [2], "nonsense"])
def test_percent_is_validated_beside_percentage(value: Any) -> None:
    answer = create({"name": "MODERATE", "percent": value, "percentage": 2})
    assert answer.body == {"errors": [fault(MUST, "percent", "body", value=value)]}
    answer = create({"name": "MODERATE", "percent": 2, "percentage": value})
    assert answer.body == {"errors": [fault(MUST, "percentage", "body", value=value)]}
    assert listed() == []


def test_faults_of_both_percentages_stand_between_those_of_the_other_fields() -> None:
    answer = create({"name": "", "percent": 0, "percentage": 0, "risk": 1})
    assert [one["param"] for one in answer.body["errors"]] == ["name", "percentage", "percent", "risk"]


def test_name_of_other_characters_is_the_documented_fault() -> None:
    answer = send(lambda_handler, sample("admin_setting_strategy/create_risk_profile_wrong_name"))
    assert answer.status == 422
    assert answer.body == {"errors": [fault("must be alphabet only", "name", "body", value="TESTING_1234")]}


@pytest.mark.parametrize("name", ["", "TWO WORDS", "Ümlaut", "A\n", True, 7, None, "x" * 101])
def test_name_is_alphabet_only(name: Any) -> None:
    answer = create({"name": name, "percentage": 1})
    assert answer.body == {"errors": [fault("must be alphabet only", "name", "body", value=name)]}


@pytest.mark.parametrize("value", [0, -1, 100.01, "1.5", None, True, [1]])
@pytest.mark.parametrize("given_as", ["percentage", "percent"])
def test_percentage_is_a_number_up_to_100_and_the_fault_names_it_as_given(given_as: str, value: Any) -> None:
    answer = create({"name": "MODERATE", given_as: value})
    expected = Decimal(str(value)) if isinstance(value, float) else value
    assert answer.status == 422
    assert answer.body == {"errors": [fault(MUST, given_as, "body", value=expected)]}
    assert listed() == []


def test_empty_body_names_both_fields() -> None:
    assert create({}).body == {
        "errors": [fault("must be alphabet only", "name", "body"), fault(MUST, "percentage", "body")]
    }


def test_name_is_unique_but_for_case() -> None:
    create({"name": "MODERATE", "percentage": 2})
    answer = create({"name": "Moderate", "percentage": 2})
    assert answer.status == 422
    assert answer.body == {"errors": [fault("name already exist", "name", "body", value="Moderate")]}
    assert len(listed()) == 1


def test_percentage_is_updated_as_documented() -> None:
    a_risk_profile(PROFILE_ID)
    answer = send(lambda_handler, sample(UPDATE))
    assert answer.status == 200
    assert answer.body == {
        "id": PROFILE_ID,
        "name": "CONSERVATIVE",
        "percentage": Decimal("1.7"),
        "createdAt": "2022-09-09T01:57:36.304Z",
        "updatedAt": answer.body["updatedAt"],
    }
    assert answer.body["updatedAt"] > answer.body["createdAt"]
    assert RiskProfile.get(PROFILE_ID).percentage == Decimal("1.7")


def test_other_fields_of_the_answer_are_ignored_in_an_update() -> None:
    a_risk_profile(PROFILE_ID)
    answer = update({"id": "x", "name": "OTHER", "percentage": 3, "createdAt": None})
    assert (answer.body["name"], answer.body["percentage"]) == ("CONSERVATIVE", 3)


def test_update_needs_the_percentage_and_knows_no_other_field() -> None:
    a_risk_profile(PROFILE_ID)
    answer = update({"risk": 1})
    assert answer.body == {"errors": [fault(MUST, "percentage", "body"), fault("unknown field", "risk", "body")]}


def test_unknown_profile_is_not_found() -> None:
    assert update({"percentage": 1}, id_of("nothing")).status == 404
