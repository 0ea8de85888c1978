from __future__ import annotations

import io
import json
from typing import Any

import pytest

from functions.admin_operation.app import lambda_handler
from shared.clock import utc_now
from shared.models.trading_switch import TradingSwitch, strategy_scope
from tests.unit.admin_requests import Answer, fault, sample, send, with_body
from tests.unit.records import a_strategy

HALT, RESUME = "admin_operation/halt_entries", "admin_operation/resume_entries"
UNKNOWN = "strategy:61b79e6d-7e22-4f91-b508-ef5be6a21419"

pytestmark = pytest.mark.usefixtures("admin_api")


def halt(scope: str = "ALL", body: Any = None) -> Answer:
    body = {"reason": "exchange incident"} if body is None else body
    return send(lambda_handler, with_body(sample(HALT, path=("ALL", scope)), body))


def resume(scope: str = "ALL") -> Answer:
    return send(lambda_handler, sample(RESUME, path=("ALL", scope)))


@pytest.mark.parametrize(("scope", "stored"), [("ALL", "ALL"), ("lane:lane-1", "lane#lane-1")])
def test_a_halt_stands_until_entries_are_resumed(scope: str, stored: str) -> None:
    answer = halt(scope)
    assert answer.status == 200
    switch = TradingSwitch.get(stored)
    assert (switch.halted, switch.reason) == (True, "exchange incident")
    assert {**answer.body, "haltedAt": ""} == {
        "scope": scope,
        "halted": True,
        "reason": "exchange incident",
        "haltedAt": "",
    }

    answer = resume(scope)
    assert (answer.status, answer.body) == (
        200,
        {"scope": scope, "halted": False, "reason": None, "haltedAt": None},
    )
    assert not TradingSwitch.get(stored).halted


def test_a_strategy_is_halted_by_its_id_in_any_case() -> None:
    strategy = a_strategy()
    strategy.save()
    answer = halt(f"strategy:{strategy.id.upper()}")
    assert (answer.status, answer.body["scope"]) == (200, f"strategy:{strategy.id}")
    assert TradingSwitch.get(f"strategy#{strategy.id}").halted


def test_a_repeat_answers_the_same_and_another_reason_keeps_the_time() -> None:
    first = halt()
    assert halt().body == first.body
    second = halt(body={"reason": "  it lasts "})
    assert second.body == first.body | {"reason": "it lasts"}


def test_a_halt_after_a_resumption_has_its_own_time() -> None:
    old = halt().body["haltedAt"]
    resume()
    TradingSwitch.resume("ALL")
    assert TradingSwitch.get("ALL").halted_at is None
    assert halt().body["haltedAt"] >= old


def test_to_resume_what_is_not_halted_changes_nothing() -> None:
    assert resume().status == 200
    assert TradingSwitch.find("ALL") is None
    halt()
    resume()
    before = TradingSwitch.get("ALL").updated_at
    resume()
    assert TradingSwitch.get("ALL").updated_at == before


def test_a_halt_by_a_worker_leaves_the_operators_reason() -> None:
    halt("lane:lane-1", body={"reason": "moving house"})
    TradingSwitch.halt("lane#lane-1", reason="MASS_REFUSAL")
    assert TradingSwitch.get("lane#lane-1").reason == "moving house"


def test_strategys_halt_of_an_older_record_is_listed_once_it_is_halted_again() -> None:
    scope = strategy_scope(a_strategy().id)
    TradingSwitch(scope, halted=True, reason="old", updated_at=utc_now()).save()
    assert TradingSwitch.standing(limit=10) == []
    TradingSwitch.halt_by_operator(scope, reason="old")
    assert [(one.scope, one.reason) for one in TradingSwitch.standing(limit=10)] == [(scope, "old")]


def test_standing_halts_are_listed_oldest_first_also_those_of_older_records() -> None:
    strategy = a_strategy()
    strategy.save()
    TradingSwitch("lane#lane-2", halted=True, reason="by hand", updated_at=utc_now()).save()
    halt(f"strategy:{strategy.id}")
    halt()
    resume("lane:lane-1")
    assert [switch.scope for switch in TradingSwitch.standing(limit=10)] == [
        "lane#lane-2",
        f"strategy#{strategy.id}",
        "ALL",
    ]


@pytest.mark.parametrize(
    "scope", [UNKNOWN, "lane:lane-2", "lane:lane-99", "lane-1", "strategy#1", "all", "strategy:", "ALL:", "lane:ALL"]
)
def test_a_scope_that_names_nothing_is_not_found(scope: str) -> None:
    for answer in (halt(scope, body="{"), resume(scope)):
        assert (answer.status, answer.body) == (404, {"message": "route not found"})


@pytest.mark.parametrize("reason", ["", "   ", None, 7, "a" * 201, "a\u202eb", ["x"]])
def test_a_halt_needs_a_reason(reason: Any) -> None:
    answer = halt(body={"reason": reason})
    expected = fault("must be text of 1 to 200 visible characters", "reason", "body", value=reason)
    assert (answer.status, answer.body) == (422, {"errors": [expected]})
    assert TradingSwitch.find("ALL") is None


def test_a_missing_reason_and_an_unknown_field_are_named() -> None:
    answer = halt(body={"why": "x", "halted": True})
    assert answer.body["errors"] == [
        fault("must be text of 1 to 200 visible characters", "reason", "body"),
        fault("unknown field", "why", "body"),
    ]


def test_the_log_says_who_halted_what(log: io.StringIO) -> None:
    halt()
    (line,) = [one for one in map(json.loads, log.getvalue().splitlines()) if one["message"] == "entries_halted"]
    assert (line["scope"], line["reason"]) == ("ALL", "exchange incident")
    assert line["admin_id"] == "7d8ca528-4931-4254-9273-ea5ee853f271"
