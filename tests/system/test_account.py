"""A person signs up in the users' pool, uses the account, and closes it, on the deployed stack with its roles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from local.stack.deploy import client
from tests.system.stack_client import Answer, Stack, wait_for

PASSWORD = "Correct horse 1 battery"


@dataclass(frozen=True, slots=True)
class SignedUp:
    """Somebody who has signed up by themselves."""

    stack: Stack
    email: str

    @property
    def cognito(self) -> Any:
        return client("cognito-idp", self.stack.running.places)

    def sign_in(self) -> str:
        """Return an id token, as a page gets it with the session's ids."""
        answer = self.cognito.initiate_auth(
            ClientId=self.stack.session["cognito"]["clientId"],  # type: ignore[index]
            AuthFlow="USER_PASSWORD_AUTH",
            AuthParameters={"USERNAME": self.email, "PASSWORD": PASSWORD},
        )
        token: str = answer["AuthenticationResult"]["IdToken"]
        self.stack.heard.secrets.update([token, PASSWORD])
        return token

    def ask(self, method: str, path: str, body: Any = None) -> Answer:
        return self.stack.api(method, f"/v1/{path}", token=self.sign_in(), body=body)


@pytest.fixture
def person(stack: Stack) -> SignedUp:
    made = SignedUp(stack, f"{uuid4().hex[:12]}@example.com")
    made.cognito.sign_up(
        ClientId=stack.session["cognito"]["clientId"],  # type: ignore[index]
        Username=made.email,
        Password=PASSWORD,
        UserAttributes=[{"Name": "email", "Value": made.email}, {"Name": "given_name", "Value": "Pat"}],
    )
    pool = stack.session["cognito"]["userPoolId"]  # type: ignore[index]
    made.cognito.admin_confirm_sign_up(UserPoolId=pool, Username=made.email)
    return made


def test_first_request_makes_the_record_and_the_account_is_the_users_until_it_is_closed(
    stack: Stack, person: SignedUp
) -> None:
    first = person.ask("GET", "account/user")
    assert first.status == 200, first.text
    user_id = first.json()["id"]
    assert (first.json()["firstName"], first.json()["UserSubscription"]["SubscriptionType"]["name"]) == (
        "Pat",
        "DEFAULT",
    )
    listed = stack.get("/v1/admin/account/user/list?limit=1").json()["items"]
    assert [item["uid"] for item in listed] == [user_id]

    assert person.ask("PUT", "account/user", {"lastName": "Doe"}).json()["lastName"] == "Doe"
    assert person.ask("PUT", "account/notification", {"tradeMessages": False}).json()["tradeMessages"] is False
    assert person.ask("POST", "account/telegram/link").json()["url"].startswith("https://t.me/")
    assert person.ask("DELETE", "account/telegram/link").json() == {"linked": False}
    for path in ("exchange/key/list", "strategy/follower/list", "strategy/list", "subscription/list"):
        assert person.ask("GET", path).status == 200, path
    for kind in ("strategy", "manual"):
        assert person.ask("GET", f"account/trade/{kind}/history?year=2026&zone=Europe/Berlin").json()["items"] == []
        assert person.ask("GET", f"account/trade/{kind}/history?format=csv&year=2026").status == 200
        assert person.ask("GET", f"account/trade/{kind}/performance").json()["trades"] == 0

    def changes() -> list[str] | None:
        items = person.ask("GET", "account/event/list").json()["items"]
        found = [item["data"].get("what") for item in items]
        return found if len(found) == 2 else None

    assert wait_for("both changes are settled", changes) == ["PROFILE", "NOTIFICATION"]

    token = person.sign_in()
    closed = stack.api("DELETE", "/v1/account/user", token=token)
    assert (closed.status, closed.json()["id"]) == (200, user_id), closed.text
    assert stack.api("DELETE", "/v1/account/user", token=token).text == closed.text
    with pytest.raises(ClientError):
        person.sign_in()
    assert stack.get(f"/v1/admin/account/user/overview/{user_id}").json()["active"] is False


def test_user_whom_an_admin_disables_opens_nothing_and_still_reads(stack: Stack, person: SignedUp) -> None:
    token = person.sign_in()
    user_id = stack.get("/v1/account/user", token=token).json()["id"]
    assert stack.api("PUT", f"/v1/admin/account/user/action/disable/{user_id}").status == 200
    assert stack.get("/v1/account/user", token=token).json()["active"] is False
    for path in ("exchange/key", "strategy/follower", "subscription/checkout"):
        refused = stack.api("POST", f"/v1/{path}", token=token, body={})
        assert (refused.status, refused.json()) == (403, {"message": "account disabled"}), path
