"""Users on the deployed stack: our table and Cognito's pool, switched together by functions with roles of their own."""

from __future__ import annotations

import base64
import hmac
import struct
import time
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from local.stack.deploy import client
from local.stack.places import STACK_NAME
from tests.system.stack_client import Stack

PASSWORD = "Correct horse 1 battery"
USERS = "/v1/admin/account/user"


@dataclass(frozen=True, slots=True)
class Person:
    """A person with an account, and their requests."""

    stack: Stack
    id: str
    email: str

    def sign_in(self) -> dict[str, Any]:
        """Return tokens or a challenge."""
        answer: dict[str, Any] = self.cognito.admin_initiate_auth(
            UserPoolId=self.pool_id,
            ClientId=self.stack.running.deployed.outputs["UserPoolClientId"],
            AuthFlow="ADMIN_USER_PASSWORD_AUTH",
            AuthParameters={"USERNAME": self.email, "PASSWORD": PASSWORD},
        )
        return answer

    def set_up_totp(self) -> None:
        """Register an authenticator app."""
        token = self.sign_in()["AuthenticationResult"]["AccessToken"]
        secret = self.cognito.associate_software_token(AccessToken=token)["SecretCode"]
        self.cognito.verify_software_token(AccessToken=token, UserCode=totp(secret))
        self.cognito.set_user_mfa_preference(
            AccessToken=token, SoftwareTokenMfaSettings={"Enabled": True, "PreferredMfa": True}
        )

    def send_to_recorder(self, source: str) -> None:
        """Send the event that Cognito would."""
        attributes = {
            "sub": self.id,
            "email": self.email,
            "email_verified": "true",
            "cognito:user_status": "CONFIRMED",
            "given_name": "Pat",
        }
        event = {"version": "1", "triggerSource": source, "request": {"userAttributes": attributes}, "response": {}}
        assert self.stack.invoke("UserRecorder", event) == event

    @property
    def pool_id(self) -> str:
        return self.stack.running.deployed.outputs["UserPoolId"]

    @property
    def cognito(self) -> Any:
        return client("cognito-idp", self.stack.running.places)


def totp(secret: str) -> str:
    """Return the six digits of RFC 6238 for now."""
    mac = hmac.new(base64.b32decode(secret), struct.pack(">Q", int(time.time() // 30)), "sha1").digest()
    offset = mac[-1] & 0x0F
    number: int = struct.unpack(">I", mac[offset : offset + 4])[0] & 0x7FFFFFFF
    return f"{number % 10**6:06d}"


@pytest.fixture
def person(stack: Stack) -> Person:
    email = f"{uuid4().hex[:12]}@example.com"
    cognito, pool_id = client("cognito-idp", stack.running.places), stack.running.deployed.outputs["UserPoolId"]
    made = cognito.admin_create_user(
        UserPoolId=pool_id,
        Username=email,
        UserAttributes=[{"Name": "email", "Value": email}, {"Name": "email_verified", "Value": "true"}],
        MessageAction="SUPPRESS",
    )
    cognito.admin_set_user_password(UserPoolId=pool_id, Username=email, Password=PASSWORD, Permanent=True)
    return Person(stack, made["User"]["Username"], email)


def test_a_confirmed_sign_up_is_listed_first_and_has_the_default_plan(stack: Stack, person: Person) -> None:
    for source in (
        "PostConfirmation_ConfirmSignUp",
        "PostConfirmation_ConfirmSignUp",
        "PostAuthentication_Authentication",
    ):
        person.send_to_recorder(source)
    first = stack.get(f"{USERS}/list?limit=1").json()
    (item,) = first["items"]
    assert (item["uid"], item["email"], item["firstName"], item["lastName"]) == (person.id, person.email, "Pat", "")
    assert first["nextToken"]
    overview = stack.get(f"{USERS}/overview/{person.id}").json()
    subscription = overview.pop("UserSubscription")
    assert {"uid": overview.pop("id"), **overview} == item
    assert subscription["stripeCustomerId"] is None
    assert subscription["SubscriptionType"]["name"] == "DEFAULT"


def test_pages_lead_through_all_users_once(stack: Stack) -> None:
    whole = [item["uid"] for item in stack.get(f"{USERS}/list?limit=1000").json()["items"]]
    paged, token = [], ""
    while token is not None:
        page = stack.get(f"{USERS}/list?limit=2{token and f'&nextToken={token}'}").json()
        paged += [item["uid"] for item in page["items"]]
        token = page.get("nextToken")
    assert paged == whole
    assert len(set(whole)) == len(whole) >= 5


def test_user_known_only_to_cognito_is_shown_and_then_listed(stack: Stack, person: Person) -> None:
    assert stack.get(f"{USERS}/overview/{person.id}").json()["email"] == person.email
    assert person.id in [item["uid"] for item in stack.get(f"{USERS}/list?limit=1000").json()["items"]]


def test_a_disabled_user_cannot_sign_in_until_enabled(stack: Stack, person: Person) -> None:
    person.send_to_recorder("PostConfirmation_ConfirmSignUp")
    for _ in range(2):
        answer = stack.api("PUT", f"{USERS}/action/disable/{person.id}")
        assert (answer.status, answer.json()["active"]) == (200, False)
    with pytest.raises(ClientError, match="disabled"):
        person.sign_in()
    assert stack.get(f"{USERS}/overview/{person.id}").json()["active"] is False
    answer = stack.api("PUT", f"{USERS}/action/enable/{person.id}")
    assert set(answer.json()) == {"id", "active", "updatedAt"}
    assert "AuthenticationResult" in person.sign_in()
    assert stack.get(f"{USERS}/overview/{person.id}").json()["active"] is True


def test_reset_authenticator_is_not_required_again(stack: Stack, person: Person) -> None:
    person.send_to_recorder("PostConfirmation_ConfirmSignUp")
    person.set_up_totp()
    assert person.sign_in()["ChallengeName"] == "SOFTWARE_TOKEN_MFA"
    for _ in range(2):
        answer = stack.api("PUT", f"{USERS}/action/reset/mfa/{person.id}")
        assert (answer.status, set(answer.json())) == (200, {"id", "updatedAt"})
    assert "AuthenticationResult" in person.sign_in()


def test_telegram_chat_is_removed(stack: Stack, person: Person) -> None:
    person.send_to_recorder("PostConfirmation_ConfirmSignUp")
    dynamodb, key = client("dynamodb", stack.running.places), {"id": {"S": person.id}}
    dynamodb.update_item(
        TableName=f"{STACK_NAME}-users",
        Key=key,
        UpdateExpression="SET telegram_chat_id = :chat",
        ExpressionAttributeValues={":chat": {"S": "12345"}},
    )
    assert stack.api("PUT", f"{USERS}/action/reset/telegram/{person.id}").status == 200
    item = dynamodb.get_item(TableName=f"{STACK_NAME}-users", Key=key, ConsistentRead=True)["Item"]
    assert "telegram_chat_id" not in item


@pytest.mark.parametrize(
    "path", ["overview", "action/enable", "action/disable", "action/reset/mfa", "action/reset/telegram"]
)
def test_unknown_user_is_not_found(stack: Stack, path: str) -> None:
    for user_id in (str(uuid4()), "42"):
        answer = stack.api("GET" if path == "overview" else "PUT", f"{USERS}/{path}/{user_id}")
        assert (answer.status, answer.json()) == (404, {"message": "route not found"})


def test_followers_of_a_disabled_user_enter_nothing_until_the_user_is_enabled(stack: Stack) -> None:
    stack.move_price("BTCUSDT", "20000")
    strategy = stack.add_strategy("SWITCHED", followers=1)
    listed = stack.get(f"/v1/admin/strategy/follower/{strategy.strategy_id}/list").json()["items"]
    user_id = listed[0]["ExchangeKey"]["User"]["id"]
    assert stack.api("PUT", f"{USERS}/action/disable/{user_id}").status == 200
    denied = strategy.wait_until_all(strategy.fire(), "DENIED")
    assert [one["reason"] for one in denied] == ["USER_DISABLED"]
    assert stack.api("PUT", f"{USERS}/action/enable/{user_id}").status == 200
    strategy.wait_until_all(strategy.fire(orderPrice="20001"), "PROTECTED")
