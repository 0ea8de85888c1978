from __future__ import annotations

from typing import Any

import pytest

from functions.admin_setting_strategy.app import lambda_handler
from local.name_claims import move_claims
from shared.models.strategy import Strategy
from shared.models.unique_name import NameKind, UniqueName
from tests.unit.admin_requests import Answer, fault, sample, send, with_body
from tests.unit.records import STRATEGY_ID, a_strategy, id_of

pytestmark = pytest.mark.usefixtures("admin_api")

EVENT = "admin_setting_strategy/update_strategy"
NAME_TEXT = "must be text of 1 to 100 characters"


@pytest.fixture(autouse=True)
def strategy(admin_api: Any) -> Strategy:
    """The documentation's strategy, with its name claimed."""
    return claimed(STRATEGY_ID, "STRATEGY #5")


def claimed(strategy_id: str, name: str) -> Strategy:
    UniqueName(UniqueName.claim_key(NameKind.STRATEGY, name), owner_id=strategy_id).save()
    return a_strategy(strategy_id, name=name)


def update(body: Any, strategy_id: str = STRATEGY_ID) -> Answer:
    return send(lambda_handler, with_body(sample(EVENT, path=(STRATEGY_ID, strategy_id)), body))


def holder(name: str) -> str | None:
    found = UniqueName.find(UniqueName.claim_key(NameKind.STRATEGY, name))
    return found.owner_id if found is not None else None


def test_documented_request_gets_the_documented_answer() -> None:
    answer = send(lambda_handler, sample(EVENT))
    assert answer.status == 200
    assert answer.body == {
        "id": STRATEGY_ID,
        "active": False,
        "name": "STRATEGY #5",
        "description": None,
        "exchangeId": "BINANCE",
        "symbol": "BTC/USDT",
        "reportExchangeApiKey": "report-key",
        "createdAt": "2022-09-09T01:57:36.304Z",
        "updatedAt": answer.body["updatedAt"],
    }
    assert answer.body["updatedAt"] > "2022-09-09T01:57:36.304Z"
    assert Strategy.get(STRATEGY_ID).active is False


def test_only_given_fields_change(strategy: Strategy) -> None:
    strategy.update(actions=[Strategy.webhook_secret_hash.set("a hash"), Strategy.active.set(False)])
    assert update({"description": "Breakouts"}).body["description"] == "Breakouts"
    stored = Strategy.get(STRATEGY_ID)
    assert (stored.active, stored.webhook_secret_hash, stored.report_secret_ciphertext) == (
        False,
        "a hash",
        strategy.report_secret_ciphertext,
    )
    assert update({"description": None}).body["description"] is None


def test_empty_change_changes_nothing() -> None:
    answer = update({})
    assert (answer.status, answer.body["updatedAt"]) == (200, "2022-09-09T01:57:36.304Z")


def test_what_was_read_can_be_edited_and_sent_back() -> None:
    read = update({}).body
    answer = update(read | {"active": False, "symbol": "ETH/USDT", "id": "another"})
    assert answer.status == 200
    assert answer.body == read | {"active": False, "updatedAt": answer.body["updatedAt"]}


def test_rename_releases_the_old_name_and_claims_the_new_one() -> None:
    assert update({"name": " RENAMED "}).body["name"] == "RENAMED"
    assert (holder("STRATEGY #5"), holder("renamed")) == (None, STRATEGY_ID)
    claimed(id_of("other"), "STRATEGY #5")
    taken = update({"name": "strategy #5"})
    assert taken.status == 422
    assert taken.body == {"errors": [fault("name already exist", "name", "body", value="strategy #5")]}
    assert Strategy.get(STRATEGY_ID).name == "RENAMED"


def test_name_may_change_its_case_and_stays_claimed() -> None:
    assert update({"name": "Strategy #5"}).body["name"] == "Strategy #5"
    assert holder("STRATEGY #5") == STRATEGY_ID


@pytest.mark.parametrize(
    "same", ["\uff33trategy #5", "STRATEGY  #5", "Strategy\u00a0#5", "STRATEGY\u200d #5", "STRATEGY\ufe0f #5"]
)
def test_name_that_reads_like_another_is_taken(same: str) -> None:
    claimed(id_of("other"), "OTHER")
    answer = update({"name": same}, id_of("other"))
    assert answer.body == {"errors": [fault("name already exist", "name", "body", value=same)]}


@pytest.mark.parametrize(
    "name",
    [
        "a\nb",
        "a\tb",
        "a\x00",
        "a\u200bb",
        "\u202eevil",
        "a\u2066b",
        "\ufeffa",
        "a\u00adb",
        "\ue000",
        "\u3164",
        "\u200d\u200d",
    ],
)
def test_name_with_characters_that_nobody_sees_is_refused(name: str) -> None:
    answer = update({"name": name})
    assert answer.body == {"errors": [fault("must be text of visible characters", "name", "body", value=name)]}


def test_name_whose_compared_form_is_too_long_is_refused() -> None:
    name = "\ufdfa" * 100
    assert update({"name": name}).body == {"errors": [fault(NAME_TEXT, "name", "body", value=name)]}


@pytest.mark.parametrize(
    "name",
    ["Zo\u00eb \U0001f680", "\u0645\u06cc\u200c\u062e\u0648", "\u2764\ufe0f", "\u5b89\u5168"],
)
def test_name_of_any_script_is_stored_as_it_was_written(name: str) -> None:
    assert update({"name": name}).body["name"] == name


def old_claim(name: str, strategy_id: str) -> str:
    """Store a strategy whose name was claimed before names were compared as people read them."""
    UniqueName(UniqueName.former_claim_key(NameKind.STRATEGY, name), owner_id=strategy_id).save()
    a_strategy(strategy_id, name=name)
    return UniqueName.former_claim_key(NameKind.STRATEGY, name)


def test_claims_of_old_records_move_and_an_equal_name_is_reported() -> None:
    first, second = id_of("first"), id_of("second")
    former = old_claim("\uff26irst", first)
    assert move_claims(lambda _: None) == 0
    assert (UniqueName.find(former), holder("First"), holder("STRATEGY #5")) == (None, first, STRATEGY_ID)
    assert update({"name": "FIRST"}).status == 422
    kept = old_claim("F\u0131rst".replace("\u0131", "\uff49"), second)
    said: list[str] = []
    assert move_claims(said.append) == 1
    assert (second in said[0], first in said[0], holder("First")) == (True, True, first)
    assert UniqueName.get(kept).owner_id == second
    assert update({"name": "Another"}, second).status == 200
    assert (UniqueName.find(kept), move_claims(lambda _: None)) == (None, 0)


def test_old_record_claims_the_new_form_with_its_next_rename() -> None:
    former = old_claim("\uff26irst", id_of("first"))
    assert update({"name": "First"}, id_of("first")).status == 200
    assert (UniqueName.find(former), holder("first")) == (None, id_of("first"))


def test_name_that_is_taken_at_the_same_moment_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    find = UniqueName.find
    reads: list[str] = []

    def find_then_lose(claim: str, *rest: Any, **options: Any) -> UniqueName | None:
        found = find(claim, *rest, **options)
        if not reads:
            reads.append(claim)
            claimed(id_of("other"), "WANTED")
        return found

    monkeypatch.setattr(UniqueName, "find", find_then_lose)
    answer = update({"name": "WANTED", "active": False})
    assert answer.body == {"errors": [fault("name already exist", "name", "body", value="WANTED")]}
    assert Strategy.get(STRATEGY_ID).active is True
    assert holder("STRATEGY #5") == STRATEGY_ID


def test_strategy_that_is_renamed_meanwhile_releases_the_right_name(monkeypatch: pytest.MonkeyPatch) -> None:
    find = UniqueName.find
    reads: list[str] = []

    def find_then_rename(claim: str, *rest: Any, **options: Any) -> UniqueName | None:
        found = find(claim, *rest, **options)
        if not reads:
            reads.append(claim)
            assert update({"name": "BETWEEN"}).status == 200
        return found

    event = with_body(sample(EVENT), {"name": "LAST"})
    monkeypatch.setattr(UniqueName, "find", find_then_rename)
    assert send(lambda_handler, event).body["name"] == "LAST"
    assert [holder(name) for name in ("STRATEGY #5", "BETWEEN", "LAST")] == [None, None, STRATEGY_ID]


def test_every_wrong_field_is_named() -> None:
    answer = update({"active": None, "name": None, "description": 1, "report": True})
    assert answer.status == 422
    assert answer.body["errors"] == [
        fault("must be boolean", "active", "body", value=None),
        fault(NAME_TEXT, "name", "body", value=None),
        fault("must be null or text of at most 2000 characters", "description", "body", value=1),
        fault("unknown field", "report", "body"),
    ]


@pytest.mark.parametrize("strategy_id", [id_of("nothing"), "not-a-uuid"])
def test_unknown_strategy_is_not_found_before_the_body_is_read(strategy_id: str) -> None:
    answer = update("{", strategy_id)
    assert (answer.status, answer.body) == (404, {"message": "route not found"})


def test_only_a_strategy_that_was_inactive_is_activated() -> None:
    for active in (False, True):
        assert update({"active": active}).status == 200
    activated_at = Strategy.get(STRATEGY_ID).active_since
    assert activated_at is not None
    assert update({"active": True}).status == 200
    assert Strategy.get(STRATEGY_ID).active_since == activated_at
