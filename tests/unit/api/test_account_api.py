"""What every route of the Account API has in common, shown on a made-up function."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from shared.api import maintenance
from shared.api.account_api import OPENS, AccountApi
from shared.api.answers import OWN
from shared.models.user import User
from tests.unit.admin_requests import Answer, Handler, sample, send
from tests.unit.in_process_aws import aws_client
from tests.unit.records import USER_ID, a_user

THING = "a12565e5-567b-432a-93b2-6349653010d9"

pytestmark = pytest.mark.usefixtures("account_api")


@pytest.fixture
def handler() -> Handler:
    app = AccountApi()

    @app.get("/v1/made-up/<thing_id>", openapi_extensions=OWN)
    def read(thing_id: str) -> dict[str, Any]:
        return {"id": thing_id, "user": app.user.id}

    @app.post("/v1/made-up/<thing_id>", openapi_extensions=OPENS)
    def open_one(thing_id: str) -> dict[str, Any]:
        return {"opened": thing_id}

    @app.delete("/v1/made-up/<thing_id>", openapi_extensions=OWN)
    def close(thing_id: str) -> dict[str, Any]:
        return {"closed": thing_id}

    return app.resolve


@pytest.fixture
def ask(handler: Handler) -> Callable[..., Answer]:
    def ask(method: str, thing_id: str = THING, **claims: Any) -> Answer:
        event = sample("user/get_profile") | {"httpMethod": method, "path": f"/v1/made-up/{thing_id}"}
        event["resource"] = event["path"]
        event["requestContext"]["authorizer"]["claims"] |= claims
        return send(handler, event)

    return ask


@pytest.fixture(autouse=True)
def _maintenance_is_read_anew() -> Iterator[None]:
    yield
    maintenance.forget_cached_switch()


def test_user_is_the_tokens_subject(ask: Callable[..., Answer]) -> None:
    a_user()
    assert ask("GET").body == {"id": THING, "user": USER_ID}


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://cognito-idp.us-east-1.amazonaws.com/us-east-1_EXAMPLE", "aud": "3n4b5urk1ft4fl3mg5e62d9ado"},
        {"token_use": "access"},
        {"aud": "another"},
    ],
    ids=str,
)
def test_others_are_unauthorized_and_get_no_record(ask: Callable[..., Answer], claims: dict[str, str]) -> None:
    answer = ask("GET", **claims)
    assert (answer.status, answer.body) == (401, {"message": "unauthorized"})
    assert User.find(USER_ID) is None


def test_disabled_user_reads_and_closes_and_opens_nothing(ask: Callable[..., Answer]) -> None:
    a_user(active=False)
    assert [ask(method).status for method in ("GET", "DELETE")] == [200, 200]
    answer = ask("POST")
    assert (answer.status, answer.body) == (403, {"message": "account disabled"})
    User.get(USER_ID).set_active(True)
    assert ask("POST").status == 200


def test_disabled_comes_before_not_found_and_maintenance_before_both(ask: Callable[..., Answer]) -> None:
    a_user(active=False)
    assert ask("POST", "no-id").status == 403
    assert ask("GET", "no-id").status == 404
    aws_client("ssm").put_parameter(Name="/unit/maintenance", Type="String", Value="on", Overwrite=True)
    maintenance.forget_cached_switch()
    assert ask("POST").status == 503


def test_user_is_named_in_the_log_of_the_request_alone(ask: Callable[..., Answer], log: io.StringIO) -> None:
    a_user()
    ask("GET")
    ask("GET", aud="another")
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    answered = [line for line in lines if line["message"] == "request_answered"]
    assert [line.get("user_id") for line in answered] == [USER_ID, None]
