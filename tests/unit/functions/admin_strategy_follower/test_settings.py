"""What a follower's settings are, for an admin; the user's own route takes the same body."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from functions.admin_strategy_follower.app import lambda_handler
from functions.strategy_follower.app import lambda_handler as own_handler
from shared.api.json_text import write_json
from shared.models.follower import Follower, FollowerMode
from shared.models.notice import Notice
from shared.trading.entry_settings import PROFILE_ALONE, BelowMinimum, EntrySettings, LossLimit, SizingType
from tests.unit.admin_requests import Answer, sample, send, with_body
from tests.unit.in_process_aws import Queues
from tests.unit.records import STRATEGY_ID, a_follower, a_risk_profile, a_strategy, a_user

DOCUMENTED = "af42792c-b48e-4322-9716-07050cec48c8"
UNSET = {
    "mode": "ACTIVE",
    "sizing": {"type": "RISK"},
    "maxNotional": None,
    "maxLeverage": None,
    "belowMinimum": "SKIP",
    "lossLimit": None,
}
LIMIT_FAULT = (
    'must be null or {"day": percent, "week": percent, "close": boolean} with day, week or both, '
    "more than 0 and at most 100"
)
SIZING_FAULT = (
    'must be {"type": "RISK"}, {"type": "NOTIONAL", "value": more than 0} or '
    '{"type": "EQUITY", "percentage": more than 0 and at most 1000}'
)


@pytest.fixture
def follower(admin_api: Queues) -> Follower:
    a_strategy()
    return a_follower("follower")


def show(follower: Follower) -> Answer:
    return send(lambda_handler, sample("admin_strategy_follower/show_settings", path=(DOCUMENTED, follower.id)))


def change(follower: Follower, **body: Any) -> Answer:
    event = sample("admin_strategy_follower/change_settings", path=(DOCUMENTED, follower.id))
    return send(lambda_handler, with_body(event, write_json(body)))


def shown(answer: Answer) -> dict[str, Any]:
    assert answer.status == 200, answer.body
    return {name: value for name, value in answer.body.items() if name not in {"id", "updatedAt"}}


def stored(follower: Follower) -> Follower:
    return Follower.get(STRATEGY_ID, follower.created_key)


def test_follower_that_chose_nothing_is_sized_by_its_profile_alone(follower: Follower) -> None:
    assert shown(show(follower)) == UNSET
    assert stored(follower).chosen == PROFILE_ALONE


def test_settings_are_stored_and_shown_as_they_were_sent(follower: Follower) -> None:
    sent = {
        "mode": "EXITS_ONLY",
        "sizing": {"type": "EQUITY", "percentage": Decimal("12.5")},
        "maxNotional": Decimal("5000.5"),
        "maxLeverage": Decimal(3),
        "belowMinimum": "MINIMUM",
        "lossLimit": {"day": Decimal(5), "week": Decimal("7.5"), "close": True},
    }
    assert shown(change(follower, **sent)) == shown(show(follower)) == sent
    assert stored(follower).mode is FollowerMode.EXITS_ONLY
    assert stored(follower).chosen == EntrySettings(
        sizing=SizingType.EQUITY,
        value=Decimal("12.5"),
        max_notional=Decimal("5000.5"),
        max_leverage=Decimal(3),
        below_minimum=BelowMinimum.MINIMUM,
        loss_limit=LossLimit(day_pct=Decimal(5), week_pct=Decimal("7.5"), close=True),
    )


def test_what_a_change_does_not_name_stays_and_null_takes_a_cap_away(follower: Follower) -> None:
    change(follower, sizing={"type": "NOTIONAL", "value": 500}, maxNotional=1000, maxLeverage=2)
    assert shown(change(follower, maxLeverage=None)) == UNSET | {
        "sizing": {"type": "NOTIONAL", "value": 500},
        "maxNotional": 1000,
    }
    limited = shown(change(follower, sizing={"type": "RISK"}, maxNotional=None, lossLimit={"week": 10}))
    assert limited == UNSET | {"lossLimit": {"day": None, "week": 10, "close": False}}
    assert shown(change(follower, lossLimit=None)) == UNSET
    assert stored(follower).entry_settings is None


def test_an_answer_can_be_edited_and_sent_back(follower: Follower) -> None:
    change(follower, sizing={"type": "NOTIONAL", "value": 500})
    answer = show(follower).body
    assert shown(change(follower, **(answer | {"maxNotional": 400}))) == shown(show(follower))
    assert shown(show(follower))["sizing"] == {"type": "NOTIONAL", "value": 500}


@pytest.mark.parametrize(
    ("body", "msg"),
    [
        ({"mode": "PAUSED"}, "must be supported mode"),
        ({"sizing": {"type": "KELLY"}}, SIZING_FAULT),
        ({"sizing": {"type": "RISK", "value": 5}}, SIZING_FAULT),
        ({"sizing": {"type": "NOTIONAL"}}, SIZING_FAULT),
        ({"sizing": {"type": "NOTIONAL", "value": 0}}, SIZING_FAULT),
        ({"sizing": {"type": "NOTIONAL", "value": "500"}}, SIZING_FAULT),
        ({"sizing": {"type": "EQUITY", "percentage": 1001}}, SIZING_FAULT),
        ({"sizing": None}, SIZING_FAULT),
        ({"sizing": "RISK"}, SIZING_FAULT),
        ({"maxNotional": 0}, "must be null or greater than 0"),
        ({"maxNotional": True}, "must be null or greater than 0"),
        ({"maxLeverage": 126}, "must be null or greater than 0 and at most 125"),
        ({"lossLimit": {}}, LIMIT_FAULT),
        ({"lossLimit": {"close": True}}, LIMIT_FAULT),
        ({"lossLimit": {"day": 0}}, LIMIT_FAULT),
        ({"lossLimit": {"week": 101}}, LIMIT_FAULT),
        ({"lossLimit": {"day": 5, "close": "yes"}}, LIMIT_FAULT),
        ({"lossLimit": {"day": 5, "month": 9}}, LIMIT_FAULT),
        ({"belowMinimum": "ALWAYS"}, "must be SKIP or MINIMUM"),
    ],
)
def test_wrong_values_are_refused_and_nothing_changes(follower: Follower, body: dict[str, Any], msg: str) -> None:
    answer = change(follower, **body)
    ((name, value),) = body.items()
    fault = {"msg": msg, "param": name, "location": "body"}
    assert (answer.status, answer.body) == (422, {"errors": [{"value": value} | fault]})
    assert shown(show(follower)) == UNSET


def test_every_fault_is_named_at_once(follower: Follower) -> None:
    answer = change(follower, mode=1, sizing={}, maxNotional=-1, maxLeverage=0, belowMinimum=None, lot=5)
    assert [fault["param"] for fault in answer.body["errors"]] == [
        "mode",
        "sizing",
        "maxNotional",
        "maxLeverage",
        "belowMinimum",
        "lot",
    ]


def test_changes_of_different_settings_at_once_both_count(follower: Follower, monkeypatch: pytest.MonkeyPatch) -> None:
    read = stored(follower)
    change(follower, maxNotional=1000)  # after another request has read the follower
    monkeypatch.setattr(Follower, "find_by_id", lambda _: read)
    change(follower, maxLeverage=2)
    assert stored(follower).chosen == EntrySettings(max_notional=Decimal(1000), max_leverage=Decimal(2))


def test_users_list_of_events_tells_of_an_admins_change(follower: Follower) -> None:
    change(follower, maxNotional=1000)
    (told,) = Notice.scan()
    assert (told.kind, told.recipient) == ("ACCOUNT_CHANGED", f"user#{follower.user_id}")


def test_follower_that_does_not_exist_is_not_found(follower: Follower) -> None:
    for name in ("show_settings", "change_settings"):
        answer = send(lambda_handler, sample(f"admin_strategy_follower/{name}"))
        assert (answer.status, answer.body) == (404, {"message": "route not found"})


def test_user_changes_the_same_settings(account_api: Any) -> None:
    a_user()
    a_strategy()
    a_risk_profile("3d321572-52a0-4625-93d3-a4e91c73dcd2")
    mine = a_follower("mine")
    event = sample("strategy_follower/change_follower", path=("0f7cbd6f-4d2a-4a0e-9a63-4e3e7f0e5a11", mine.id))
    answer = send(own_handler, event)
    assert answer.status == 200, answer.body
    assert {name: answer.body[name] for name in UNSET} == {
        "mode": "EXITS_ONLY",
        "sizing": {"type": "NOTIONAL", "value": 500},
        "maxNotional": 1000,
        "maxLeverage": Decimal("2.5"),
        "belowMinimum": "MINIMUM",
        "lossLimit": {"day": 5, "week": 10, "close": True},
    }
    assert answer.body["StrategyRiskProfile"]["id"] == "3d321572-52a0-4625-93d3-a4e91c73dcd2"
