"""The deployed stack agrees with docs/openapi.json: no 5xx, and no undocumented status, header or body.

Valid and invalid requests are generated from the document, the same in every run. Half of them name existing records.
"""

from __future__ import annotations

import secrets
from string import ascii_lowercase
from typing import Any
from uuid import uuid4

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from local.stack.deploy import client
from local.stack.places import ROOT
from shared.models.strategy import Strategy
from shared.models.trading_switch import EVERYTHING
from shared.trading.lane_choice import FIRST_LANE, LANES
from tests.contract.world import World
from tests.system.stack_client import Answer, FollowedStrategy

EXAMPLES = 20
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]

DOCUMENT = schemathesis.openapi.from_path(str(ROOT / "docs" / "openapi.json"))
DOCUMENT.config.generation.update(with_security_parameters=False)
OPERATIONS: list[Any] = [methods[method] for methods in DOCUMENT.values() for method in methods]


@pytest.fixture(scope="module")
def records(world: World) -> dict[str, str]:
    """Return a record of every kind for these tests alone, by the name of its path variable."""
    name = "".join(secrets.choice(ascii_lowercase) for _ in range(12))
    strategy: FollowedStrategy = world.stack.add_strategy(name, followers=2)
    profile = world.stack.api("POST", "/v1/admin/setting/strategy/profile", body={"name": name, "percent": 1})
    plan = {"name": name, "monthlyPriceUSD": 1, "maxBalanceUSD": 1, "maxApiKey": 1}
    subscription = world.stack.api("POST", "/v1/admin/subscription", body=plan)
    user_id = world.add_user(f"{uuid4().hex}@example.com", "Gene", "Rated")
    own_id = world.stack.subject("userToken")
    own_key = world.add_key(own_id, balances={"USDT": "1000"})
    return {
        "OWN_API_KEY_ID": own_key.id,
        "OWN_STRATEGY_FOLLOW_ID": world.add_follower(Strategy.get(strategy.strategy_id), own_id, own_key),
        "USER_ID": user_id,
        "API_KEY_ID": world.add_key(user_id, balances={"USDT": "1000"}).id,
        "STRATEGY_ID": strategy.strategy_id,
        "TRIGGER_ID": strategy.fire(),
        "FOLLOWER_ID": strategy.followers[0]["id"],
        "STRATEGY_PROFILE_ID": profile.json()["id"],
        "SUBSCRIPTION_ID": subscription.json()["id"],
        "SCOPE": f"strategy:{strategy.strategy_id}",
        "LANE": LANES[-1],
    }


def record_for(operation: Any, variable: str) -> str:
    """Return the record of a path variable: `ID` is the strategy's or the follower's; a user's own in an account.

    Strategies are nobody's own.
    """
    if not operation.path.startswith("/v1/admin/") and variable != "STRATEGY_ID":
        return f"OWN_{variable}"
    if variable != "ID":
        return variable
    return "STRATEGY_ID" if operation.path.endswith(("/list", "/all")) else "FOLLOWER_ID"


def keep_the_stack_running(case: Any, records: dict[str, str]) -> None:
    """Let a request that would halt the whole stack, limit its lane or begin maintenance do so for nobody else."""
    variables = case.path_parameters or {}
    if variables.get("SCOPE") in {EVERYTHING, f"lane:{FIRST_LANE}"}:
        variables["SCOPE"] = records["SCOPE"]
    if variables.get("LANE") == FIRST_LANE:
        variables["LANE"] = records["LANE"]
    if case.path.endswith("/maintenance") and isinstance(case.body, dict) and case.body.get("active") is True:
        case.body["active"] = False


def a_users_token(world: World) -> str:
    """Sign somebody up, and return the id token."""
    session = world.stack.session
    cognito: Any = client("cognito-idp", world.stack.running.places)
    pool: Any = session["cognito"]
    email, password = f"{uuid4().hex}@example.com", f"{uuid4().hex}aA1"
    cognito.sign_up(
        ClientId=pool["clientId"],
        Username=email,
        Password=password,
        UserAttributes=[{"Name": "email", "Value": email}],
    )
    cognito.admin_confirm_sign_up(UserPoolId=pool["userPoolId"], Username=email)
    answer = cognito.initiate_auth(
        ClientId=pool["clientId"],
        AuthFlow="USER_PASSWORD_AUTH",
        AuthParameters={"USERNAME": email, "PASSWORD": password},
    )
    token: str = answer["AuthenticationResult"]["IdToken"]
    world.stack.heard.secrets.update([password, token])
    return token


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: f"{one.method.upper()} {one.path}")
def test_every_answer_is_documented(world: World, records: dict[str, str], operation: Any) -> None:
    session = world.stack.session
    base = session["webhook" if "webhook/strategy" in operation.path and "admin" not in operation.path else "api"]
    token = session["adminToken" if operation.path.startswith("/v1/admin/") else "userToken"]
    if (operation.method.upper(), operation.path) == ("DELETE", "/v1/account/user"):
        token = a_users_token(world)  # the demo's user is needed still
    allowed = operation.as_strategy(generation_mode=GenerationMode.POSITIVE)
    cases = allowed
    if operation.path_parameters or operation.query or operation.body or operation.headers:
        cases = st.one_of(allowed, operation.as_strategy(generation_mode=GenerationMode.NEGATIVE))

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases, known=st.booleans())
    def check(case: Any, known: bool) -> None:
        if known:
            for variable in case.path_parameters or {}:
                case.path_parameters[variable] = records[record_for(operation, variable)]
        keep_the_stack_running(case, records)
        response = case.call(base_url=base, headers={"Authorization": token})
        answer = Answer(
            response.status_code, {name: value[0] for name, value in response.headers.items()}, response.text
        )
        world.stack.heard.answers.append((f"{operation.method.upper()} {operation.path}", answer))
        case.validate_response(response, checks=CHECKS, headers={"Authorization": "one's"})

    check()
