"""Connecting, changing and deleting a key by the API: who may, what is answered, and what is refused."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from typing import Any

import pytest

from functions.exchange import key_reading
from functions.exchange.app import lambda_handler
from shared.clock import utc_now
from shared.exchange.key_inspection import Inspection
from shared.exchange.venue_views import KeyView
from shared.models.egress_lane import EgressLane
from shared.models.exchange_key import ExchangeKey
from shared.models.notice import Notice
from shared.models.position_slot import PositionSlot
from shared.notifications.notice_types import AccountChange, AccountChanged, NoticeKind, from_json
from shared.trading.execution import ExecutionState
from shared.trading.readiness import AccountSetup, judge_account
from shared.views import key_inspections
from tests.unit.admin_requests import Answer, fault, sample, send, with_body
from tests.unit.records import (
    KEY_ID,
    USER_ID,
    a_follower,
    a_plan,
    a_slot,
    a_trigger,
    a_user,
    an_exchange_key,
    an_execution,
    id_of,
)

BODY = json.loads(sample("exchange/connect_key")["body"])
SOUND = AccountSetup(
    can_trade=True,
    futures_enabled=True,
    withdrawals_enabled=False,
    portfolio_margin=False,
    hedge_mode=False,
    multi_assets_margin=False,
    ip_restricted=True,
)

pytestmark = pytest.mark.usefixtures("account_api")


@pytest.fixture
def exchange(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Answer for the exchange: `setup` is what it says of every key, `asked` how often it was asked."""
    says: dict[str, Any] = {"setup": SOUND, "asked": 0}

    def read(*, api_key: str, secret: str, spot: bool) -> Inspection:
        says["asked"] += 1
        view = KeyView(setup=says["setup"], wallet_balance=None, clock_offset_ms=0)
        return Inspection(
            view=view,
            verdict=judge_account(says["setup"], wallet_balance=None),
            alias=says.get("alias", f"account-of-{api_key}"),
            margin_assets=("USDT",),
            checked_at=utc_now(),
        )

    monkeypatch.setattr(key_reading, "read_credentials", read)
    return says


@pytest.fixture
def user(exchange: dict[str, Any]) -> None:
    """A user whose plan allows a key or two."""
    a_plan(max_api_key=2)
    a_user()


def connect(*, key: str | None = None, **changes: Any) -> Answer:
    event = with_body(sample("exchange/connect_key"), BODY | changes)
    event["headers"] = {name: value for name, value in event["headers"].items() if name != "Idempotency-Key"}
    if key is not None:
        event["headers"]["Idempotency-Key"] = key
    return send(lambda_handler, event)


def to_key(event: str, body: dict[str, Any] | None = None, *, key_id: str = KEY_ID) -> Answer:
    made = sample(f"exchange/{event}", path=(KEY_ID, key_id))
    return send(lambda_handler, made if body is None else with_body(made, body))


def test_connected_key_is_shown_without_its_secret(user: None, log: io.StringIO) -> None:
    answer = connect()

    assert answer.status == 200
    key = ExchangeKey.get(answer.body["id"])
    shown = {name: answer.body[name] for name in ("tradeType", "strategyType", "active", "name", "apiKey")}
    assert shown == {
        "tradeType": "FUTURES",
        "strategyType": "AUTOMATED",
        "active": True,
        "name": "My futures",
        "apiKey": "sample-api-key",
    }
    assert key.user_id == USER_ID
    assert "sample-api-secret" not in answer.text + log.getvalue() + str(key.to_dynamodb_dict())


def test_every_fault_of_the_body_is_named_and_the_secret_is_not_echoed(user: None) -> None:
    wrong = {"exchangeId": "X", "tradeType": "X", "strategyType": "X", "name": "", "apiKey": "", "apiSecretKey": " x "}

    answer = connect(**wrong)

    assert (answer.status, answer.body["errors"]) == (
        422,
        [
            fault("must be supported exchange", "exchangeId", "body", value="X"),
            fault("must be supported trade type", "tradeType", "body", value="X"),
            fault("must be supported strategy type", "strategyType", "body", value="X"),
            fault("must be text of 1 to 100 characters", "name", "body", value=""),
            fault("must be API key", "apiKey", "body", value=""),
            fault("must be API secret key", "apiSecretKey", "body"),
        ],
    )


def test_refusal_has_a_code_beside_its_words(user: None, exchange: dict[str, Any]) -> None:
    exchange["setup"] = replace(SOUND, withdrawals_enabled=True)

    answer = connect()

    (refused,) = answer.body["errors"]
    assert (answer.status, refused["code"], refused["param"], refused["location"]) == (
        422,
        "WITHDRAWALS_ENABLED",
        "apiKey",
        "body",
    )
    assert refused["msg"]
    assert list(ExchangeKey.scan()) == []


def test_repeat_under_its_idempotency_key_is_answered_without_the_exchange(
    user: None, exchange: dict[str, Any]
) -> None:
    first, again = connect(key="one"), connect(key="one")

    assert (first.body, exchange["asked"]) == (again.body, 1)
    other = connect(key="one", name="Another")
    assert (other.status, other.body["errors"][0]["param"]) == (422, "Idempotency-Key")


def test_plans_maximum_is_a_code(user: None) -> None:
    for number in range(2):
        assert connect(apiKey=f"key-{number}").status == 200

    answer = connect(apiKey="key-too-many")

    assert [one["code"] for one in answer.body["errors"]] == ["PLAN_MAX_API_KEY"]


def test_deleted_key_makes_room(user: None) -> None:
    made = [connect(apiKey=f"key-{number}").body["id"] for number in range(2)]

    assert to_key("delete_key", key_id=made[0]).body == {"id": made[0], "deleted": True}

    assert connect(apiKey="key-2").status == 200


def test_disabled_user_connects_nothing_and_deletes(exchange: dict[str, Any]) -> None:
    a_plan()
    a_user(active=False)
    an_exchange_key(active=False)

    answer = connect()

    assert (answer.status, answer.body) == (403, {"message": "account disabled"})
    assert to_key("change_key", {"active": True}).status == 403
    assert to_key("delete_key").status == 200


def test_repeat_of_an_inspection_gets_the_first_answer(user: None, monkeypatch: pytest.MonkeyPatch) -> None:
    an_exchange_key()
    times = iter(["2026-11-29T12:00:00.000Z", "2026-11-29T12:00:01.000Z"])

    def judge(key: ExchangeKey) -> dict[str, Any]:
        return {"id": key.id, "ready": True, "reasons": [], "warnings": [], "checkedAt": next(times)}

    monkeypatch.setattr(key_inspections, "inspect_key", judge)

    def inspect(idempotency_key: str) -> Answer:
        event = sample("exchange/inspect_key")
        event["headers"] = {**event["headers"], "Idempotency-Key": idempotency_key}
        return send(lambda_handler, event)

    first = inspect("one").body
    assert inspect("one").body == first
    assert inspect("two").body["checkedAt"] != first["checkedAt"]
    assert inspect("t\u00fc").status == 422


@pytest.mark.parametrize("event", ["change_key", "delete_key", "inspect_key"])
def test_somebody_elses_key_is_not_found(user: None, event: str) -> None:
    an_exchange_key(user_id=id_of("another"))

    answer = to_key(event)

    assert (answer.status, answer.body) == (404, {"message": "route not found"})
    assert ExchangeKey.find(KEY_ID) is not None


def test_renamed_key_keeps_the_rest_and_asks_nobody(user: None, exchange: dict[str, Any]) -> None:
    before = an_exchange_key()

    answer = to_key("change_key", {"name": "Renamed"})

    assert (answer.status, answer.body["name"], exchange["asked"]) == (200, "Renamed", 0)
    assert ExchangeKey.get(KEY_ID).secret_ciphertext == before.secret_ciphertext


@pytest.mark.parametrize(
    ("body", "param"), [({"apiKey": "new"}, "apiSecretKey"), ({"apiSecretKey": "new-secret"}, "apiKey")]
)
def test_api_key_and_secret_go_together(user: None, body: dict[str, str], param: str) -> None:
    an_exchange_key()

    answer = to_key("change_key", body)

    assert (answer.status, answer.body["errors"][0]["param"]) == (422, param)
    assert "new-secret" not in answer.text


@pytest.fixture
def addresses(user: None) -> list[str]:
    """The addresses of three lanes in use."""
    found = [f"203.0.113.{number}" for number in (1, 2, 3)]
    for number, address in enumerate(found, start=1):
        EgressLane(f"lane-{number}", address=address, orders_queue_url=f"queue {number}").save()
    return found


def test_connected_key_names_the_lanes_at_the_addresses_that_it_is_bound_to(addresses: list[str]) -> None:
    first, _, third = addresses

    answer = connect(addresses=[third, first])

    assert (answer.status, answer.body["addresses"]) == (200, [first, third])
    assert ExchangeKey.get(answer.body["id"]).named_lanes == ("lane-1", "lane-3")
    (listed,) = send(lambda_handler, sample("exchange/list_keys")).body["items"]
    assert listed == answer.body


def test_key_without_addresses_is_bound_to_the_first_alone(addresses: list[str]) -> None:
    answer = connect()

    assert answer.body["addresses"] == addresses[:1]
    assert ExchangeKey.get(answer.body["id"]).named_lanes == ("lane-1",)


def test_addresses_are_changed_without_asking_the_exchange(addresses: list[str], exchange: dict[str, Any]) -> None:
    an_exchange_key()

    assert to_key("change_key", {"addresses": addresses}).body["addresses"] == addresses
    assert ExchangeKey.get(KEY_ID).named_lanes == ("lane-1", "lane-2", "lane-3")
    to_key("change_key", {"name": "Renamed"})
    assert ExchangeKey.get(KEY_ID).named_lanes == ("lane-1", "lane-2", "lane-3")
    to_key("change_key", {"addresses": addresses[:1]})
    assert ExchangeKey.get(KEY_ID).named_lanes == ("lane-1",)
    assert exchange["asked"] == 0


@pytest.mark.parametrize(("named", "expected"), [(None, ("lane-1",)), ([0, 1], ("lane-1", "lane-2"))])
def test_replaced_api_key_is_bound_to_the_first_address_unless_more_are_named(
    addresses: list[str], exchange: dict[str, Any], named: list[int] | None, expected: tuple[str, ...]
) -> None:
    exchange["alias"] = an_exchange_key(egress_lanes=["lane-1", "lane-3"]).account_alias
    more = {} if named is None else {"addresses": [addresses[number] for number in named]}

    assert to_key("change_key", {"apiKey": "another", "apiSecretKey": "secret", **more}).status == 200

    assert ExchangeKey.get(KEY_ID).named_lanes == expected


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        (["203.0.113.1", "198.51.100.1"], "ADDRESS_UNKNOWN"),
        (["203.0.113.2", "203.0.113.3"], "FIRST_ADDRESS_MISSING"),
    ],
)
def test_wrong_addresses_are_refused_with_a_code(
    addresses: list[str], exchange: dict[str, Any], wrong: list[str], code: str
) -> None:
    an_exchange_key()
    for answer in (connect(addresses=wrong), to_key("change_key", {"addresses": wrong})):
        (refused,) = answer.body["errors"]
        assert (answer.status, refused["code"], refused["param"]) == (422, code, "addresses")
    assert ExchangeKey.get(KEY_ID).named_lanes == ("lane-1",)
    assert exchange["asked"] == 0


def test_address_that_is_none_is_a_fault_of_the_body(user: None) -> None:
    answer = connect(addresses=["203.0.113.1", "our address"])

    assert answer.body["errors"] == [fault("must be IP address", "addresses[1]", "body", value="our address")]


def test_key_with_an_open_position_is_a_conflict_that_shows_it(user: None) -> None:
    an_exchange_key()
    follower = a_follower("mine", api_key_id=KEY_ID)
    execution = an_execution(a_trigger("open", seq=1), follower, state=ExecutionState.PROTECTED)
    a_slot(execution)

    answer = to_key("delete_key")

    assert (answer.status, answer.body) == (
        409,
        {
            "message": "a position of the key is open",
            "positions": [{"id": execution.id, "symbol": "BTC/USDT", "side": "BUY", "status": "PROTECTED"}],
        },
    )
    assert ExchangeKey.find(KEY_ID) is not None
    slot = PositionSlot.find(KEY_ID, "BTC/USDT")
    assert slot is not None
    assert slot.lease_owner is None


def test_changes_of_keys_are_events_of_the_account_each_once(user: None) -> None:
    made = connect(key="one").body["id"]
    connect(key="one")
    to_key("change_key", {"name": "Renamed"}, key_id=made)
    to_key("delete_key", key_id=made)

    found = sorted(Notice.scan(), key=lambda one: one.recorded_at)
    events = [from_json(NoticeKind(one.kind), one.content) for one in found]
    assert [(one.what, one.name) for one in events if isinstance(one, AccountChanged)] == [
        (AccountChange.KEY_CONNECTED, "My futures"),
        (AccountChange.KEY_CHANGED, "Renamed"),
        (AccountChange.KEY_DELETED, "Renamed"),
    ]
