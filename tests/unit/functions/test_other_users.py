"""Every route of the Account API with another user's ids: 404, as if they named nothing."""

from __future__ import annotations

import importlib
import re
from typing import Any

import pytest

from local.openapi.document import functions
from shared.models.follower import Follower
from tests.unit.admin_requests import sample, send
from tests.unit.documented_routes import ACCOUNT
from tests.unit.records import a_follower, a_risk_profile, a_strategy, a_user, an_exchange_key, id_of

OWNED = {"API_KEY_ID", "STRATEGY_FOLLOW_ID"}
"""Path variables that name something of one user's."""
COMMON = {"STRATEGY_ID", "EXCHANGE_ID"}
"""Path variables that name something which every user may see."""

PACKAGES = {function.logical_id: function.package for function in functions()}


def variables_of(path: str) -> set[str]:
    return set(re.findall(r"\{(\w+)\}", path))


WITH_IDS = sorted(route for route in ACCOUNT if variables_of(route[2]) & OWNED)


def test_every_path_variable_is_one_persons_or_everybodys() -> None:
    assert {name for _, _, path in ACCOUNT for name in variables_of(path)} <= OWNED | COMMON


@pytest.fixture
def others(account_api: Any) -> dict[str, str]:
    """Make the records of another user, and return their ids by path variable."""
    a_user()
    a_user(id_of("another"))
    a_strategy()
    a_risk_profile()
    an_exchange_key(id_of("key of theirs"), user_id=id_of("another"))
    follower: Follower = a_follower("theirs", user_id=id_of("another"))
    return {"API_KEY_ID": follower.api_key_id, "STRATEGY_FOLLOW_ID": follower.id}


@pytest.mark.parametrize("route", WITH_IDS, ids=lambda route: f"{route[1]} {route[2]}")
def test_another_users_ids_are_not_found(others: dict[str, str], route: tuple[str, str, str]) -> None:
    function, method, path = route
    named = re.sub(r"\{(\w+)\}", lambda found: others[found[1]], path)
    event = sample("user/get_profile") | {"httpMethod": method, "resource": path, "path": named, "body": "{}"}
    handler = importlib.import_module(f"functions.{PACKAGES[function]}.app").lambda_handler
    answer = send(handler, event)
    assert (answer.status, answer.body) == (404, {"message": "route not found"})
