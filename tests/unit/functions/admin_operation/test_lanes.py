from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from functions.admin_operation.app import lambda_handler
from shared.clock import to_iso, utc_now
from shared.models.egress_lane import EgressLane
from tests.unit.admin_requests import Answer, fault, sample, send, with_body

pytestmark = pytest.mark.usefixtures("admin_api")

UNSET = {"address": None, "weightLimit": None, "keys": None, "pausedUntil": None, "bannedUntil": None}


def update(body: Any, *, lane: str = "lane-1") -> Answer:
    return send(lambda_handler, with_body(sample("admin_operation/update_lane", path=("lane-1", lane)), body))


def test_a_change_sets_what_it_names_and_a_repeat_answers_the_same() -> None:
    answer = update({"address": "203.0.113.7", "weightLimit": 1200})
    assert (answer.status, answer.body) == (
        200,
        {"lane": "lane-1", **UNSET, "address": "203.0.113.7", "weightLimit": 1200},
    )
    assert update({"address": "203.0.113.7", "weightLimit": 1200}).body == answer.body
    assert update({"weightLimit": None}).body == answer.body | {"weightLimit": None}
    record = EgressLane.get("lane-1")
    assert (record.address, record.used_weight) == ("203.0.113.7", 0)
    assert record.weight_limit is None


def test_null_ends_a_pause_and_a_ban_and_leaves_the_weight() -> None:
    until = utc_now() + timedelta(hours=1)
    EgressLane("lane-1", used_weight=700, keys=4, paused_until=until, banned_until=until).save()
    answer = update({"bannedUntil": None})
    assert answer.body == {"lane": "lane-1", **UNSET, "keys": 4, "pausedUntil": to_iso(until)}
    assert update({"pausedUntil": None}).body["pausedUntil"] is None
    record = EgressLane.get("lane-1")
    assert record.used_weight == 700
    assert record.paused_until is record.banned_until is None


def test_an_answer_can_be_edited_and_sent_back() -> None:
    until = utc_now() + timedelta(hours=1)
    EgressLane("lane-1", banned_until=until).save()
    shown = update({}).body
    answer = update(shown | {"address": "2001:DB8::7"})
    assert answer.body == shown | {"address": "2001:db8::7"}


def test_no_ban_is_set_or_moved_by_hand() -> None:
    banned = utc_now() + timedelta(hours=1)
    EgressLane("lane-1", banned_until=banned).save()
    later = to_iso(banned + timedelta(hours=1))
    answer = update({"address": "203.0.113.7", "pausedUntil": later, "bannedUntil": later})
    assert (answer.status, answer.body["errors"]) == (
        422,
        [
            fault("must be null or the present value", "pausedUntil", "body", value=later),
            fault("must be null or the present value", "bannedUntil", "body", value=later),
        ],
    )
    record = EgressLane.get("lane-1")
    assert record.address is None
    assert to_iso(record.banned_until) == to_iso(banned)


@pytest.mark.parametrize(
    ("field", "values", "message"),
    [
        ("address", ["", "203.0.113.256", "::::", "203.0.113.7/32", 7, False, ["203.0.113.7"]], "IP address"),
        ("weightLimit", [0, 99, 1_000_001, "1200", 1200.5, True, -1, 10**30], "integer from 100 to 1000000"),
    ],
)
def test_wrong_values_are_named_and_change_nothing(field: str, values: list[Any], message: str) -> None:
    for value in values:
        answer = update({field: value})
        assert answer.status == 422, value
        (found,) = answer.body["errors"]
        assert (found["param"], found["msg"]) == (field, f"must be null or {message}")
    assert EgressLane.find("lane-1") is None


@pytest.mark.parametrize("lane", ["lane-2", "lane-0", "lane-18", "lane-1#sapi", "LANE-1", "ALL"])
def test_a_lane_that_is_not_in_use_is_not_found(lane: str) -> None:
    assert update({"address": "203.0.113.7"}, lane=lane).status == 404
    assert EgressLane.find(lane) is None


def test_a_further_lane_in_use_is_changed() -> None:
    EgressLane("lane-2", orders_queue_url="https://queue").save()
    assert update({"address": "203.0.113.8"}, lane="lane-2").body["address"] == "203.0.113.8"
    assert EgressLane.get("lane-2").orders_queue_url == "https://queue"
