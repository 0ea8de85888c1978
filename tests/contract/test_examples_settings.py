"""The documented examples of strategies, risk profiles, plans and notices, on the deployed stack."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from shared.models.plan import Plan
from shared.models.risk_profile import RiskProfile
from shared.models.unique_name import NameKind, UniqueName
from tests.contract.examples import ASIDE, Example, assert_same, assert_shape, load
from tests.contract.world import World
from tests.system.stack_client import Answer


def send(world: World, example: Example, body: Any = None, *, record_id: str = "", query: str = "") -> Answer:
    answer = world.stack.api(example.method, example.at(record_id) + query, body=body)
    assert answer.headers["Content-Type"] == "application/json"
    return answer


def answered(world: World, example: Example, body: Any = None, *, record_id: str = "", query: str = "") -> Any:
    answer = send(world, example, body, record_id=record_id, query=query)
    assert answer.status == 200, f"{answer.status} {answer.text}"
    return answer.json()


def claim(kind: NameKind, name: str = "") -> str:
    return UniqueName.claim_key(kind, name)


# ---------------------------------------------------------------------------------------------------- strategies


@pytest.fixture(scope="module")
def strategy(world: World) -> Any:
    """Return the strategy that the documented request makes, with its report key open at the exchange."""
    example = load("create_strategy_automated")
    wanted = example.request
    world.open_account(wanted["reportExchangeApiKey"], wanted["reportExchangeApiSecretKey"], balances={"USDT": "10000"})
    return answered(world, example, wanted)


def test_create_strategy_automated(strategy: Any) -> None:
    assert_same(strategy, load("create_strategy_automated").response())


def test_create_strategy_automated_with_a_wrong_symbol(world: World) -> None:
    example = load("create_strategy_automated")
    answer = send(world, example, example.request | {"symbol": "BTCUSDT"})
    assert (answer.status, answer.json()) == (422, example.response(422))


def test_create_strategy_automated_with_a_key_that_the_exchange_refuses(world: World) -> None:
    example = load("create_strategy_automated")
    answer = send(world, example, example.request | {"name": "REFUSED", "reportExchangeApiKey": "unknown"})
    assert (answer.status, answer.json()) == (433, example.response(433))


def test_update_strategy_automated(world: World, strategy: Any) -> None:
    example = load("update_strategy_automated")
    changed = answered(world, example, example.request, record_id=strategy["id"])
    assert_same(changed, example.response())
    assert changed["id"] == strategy["id"]
    assert changed["createdAt"] == strategy["createdAt"] <= changed["updatedAt"]
    answered(world, example, {"active": True}, record_id=strategy["id"])


def test_list_strategy_automated(world: World, strategy: Any) -> None:
    example = load("list_strategy_automated")
    made: list[Any] = []
    for documented in example.response()["items"]:
        api_key, secret = documented["reportExchangeApiKey"], uuid4().hex
        world.open_account(f"{api_key}-{len(made)}", secret, balances={"USDT": "1"})
        wanted = {
            "name": documented["name"],
            "exchangeId": documented["exchangeId"],
            "symbol": documented["symbol"],
            "reportExchangeApiKey": f"{api_key}-{len(made)}",
            "reportExchangeApiSecretKey": secret,
        }
        made.append(answered(world, load("create_strategy_automated"), wanted))
    listed = answered(world, example, query="?limit=1000")["items"]
    # Oldest first, so that what was made last stands at the end.
    assert listed[-2:] == made
    assert_same({"items": listed[-2:]}, example.response(), aside=ASIDE | {"reportExchangeApiKey"})
    documented = load("update_strategy_automated").response() | {"description": "Made for a demonstration."}
    assert_shape(listed[0], documented)


# ------------------------------------------------------------------------------------------------- risk profiles


def test_list_strategy_risk_profile(world: World) -> None:
    example = load("list_strategy_risk_profile")
    listed = answered(world, example)["items"]
    assert_same({"items": listed[:3]}, example.response())


def test_create_and_update_strategy_risk_profile(world: World) -> None:
    create, update = load("create_strategy_risk_profile"), load("update_strategy_risk_profile")
    with world.without_names(claim(NameKind.RISK_PROFILE, "CONSERVATIVE")):
        made = answered(world, create, create.request)
        changed = answered(world, update, update.request, record_id=made["id"])
        RiskProfile.get(made["id"]).delete()
    assert_same(made, create.response())
    assert_same(changed, update.response())
    assert changed["id"] == made["id"]
    assert changed["createdAt"] == made["createdAt"] <= changed["updatedAt"]


def test_create_strategy_risk_profile_with_a_wrong_name(world: World) -> None:
    example = load("create_strategy_risk_profile")
    answer = send(world, example, example.request | {"name": "TESTING_1234"})
    assert (answer.status, answer.json()) == (422, example.response(422))


# --------------------------------------------------------------------------------------------------------- plans


def test_create_subscription_as_requested(world: World) -> None:
    example = load("create_subscription")
    wanted = example.request
    with world.without_names(claim(NameKind.PLAN, wanted["name"])):
        made = answered(world, example, wanted)
        Plan.get(made["id"]).delete()
    # The documented answer is another plan's: its shape holds, and the values are those that were asked for.
    assert_shape(made, example.response())
    assert {name: made[name] for name in wanted} == wanted
    assert (made["private"], made["default"], made["strategyAutomated"]) == (True, False, True)


def test_create_subscription_as_answered(world: World) -> None:
    example = load("create_subscription")
    documented = example.response()
    wanted = {name: value for name, value in documented.items() if name not in {"id", "createdAt", "updatedAt"}}
    with world.without_names(claim(NameKind.PLAN, "STANDARD")):
        made = answered(world, example, wanted)
        Plan.get(made["id"]).delete()
    assert_same(made, documented)


def test_create_default_subscription_as_answered(world: World) -> None:
    example = load("create_subscription")
    documented = example.response(number=1)
    wanted = {
        "name": documented["name"],
        "maxBalanceUSD": documented["maxBalanceUSD"],
        # The table says String.
        "maxApiKey": str(documented["maxApiKey"]),
        "private": False,
        "strategyAutomated": False,
        "default": True,
    }
    claims = (claim(NameKind.PLAN, "DEFAULT"), claim(NameKind.DEFAULT_PLAN))
    with world.without_names(*claims):
        made = answered(world, example, wanted)
        Plan.get(made["id"]).delete()
    assert_same(made, documented)


def test_create_subscription_with_an_unknown_price(world: World) -> None:
    example = load("create_subscription")
    price = example.response(422)["errors"][0]["value"]
    answer = send(world, example, example.request | {"name": "UNPRICED", "stripePriceId": price})
    assert (answer.status, answer.json()) == (422, example.response(422))


def test_create_subscription_as_a_second_default(world: World) -> None:
    example = load("create_subscription")
    answer = send(world, example, example.request | {"name": "SECOND", "default": True})
    assert (answer.status, answer.json()) == (422, example.response(422, number=1))


def test_list_subscription(world: World) -> None:
    example = load("list_subscription")
    basic, default = example.response()["items"]
    wanted = {name: value for name, value in basic.items() if name not in {"id", "createdAt", "updatedAt"}}
    made = answered(world, load("create_subscription"), wanted)
    listed = answered(world, example, query="?limit=1000")["items"]
    # Newest first; the default plan was made before everything else.
    assert listed[0] == made
    assert_same({"items": [listed[0], listed[-1]]}, {"items": [basic, default]})


def test_update_subscription(world: World) -> None:
    example = load("update_subscription")
    documented = example.response()
    wanted = {name: documented[name] for name in ("name", "stripePriceId", "private", "strategyAutomated")}
    limits = {"monthlyPriceUSD": 123, "maxBalanceUSD": 1, "maxApiKey": 1}
    made = answered(world, load("create_subscription"), wanted | limits)
    changed = answered(world, example, example.request, record_id=made["id"])
    # It answers like the list, so with the price that the example leaves out.
    assert changed.pop("monthlyPriceUSD") == 123
    assert_same(changed, documented)
    unknown = example.response(422)["errors"][0]["value"]
    refused = send(world, example, {"stripePriceId": unknown}, record_id=made["id"])
    assert (refused.status, refused.json()) == (422, example.response(422))


def test_update_subscription_that_does_not_exist(world: World) -> None:
    example = load("update_subscription")
    answer = send(world, example, example.request, record_id=str(uuid4()))
    assert (answer.status, answer.json()) == (404, example.response(404))


# ------------------------------------------------------------------------------------------------------- notices


def test_get_and_update_notification(world: World) -> None:
    get, update = load("get_notification"), load("update_notification")
    shown = answered(world, update, get.response())
    assert_same(shown, get.response())
    assert_same(answered(world, get), get.response())
    assert_same(answered(world, update, update.request), update.response())
    switches = {name: False for name in get.response() if name.startswith("notify")}
    assert switches.items() <= answered(world, update, switches).items()
