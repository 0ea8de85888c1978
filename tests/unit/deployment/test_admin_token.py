"""The first sign-in of an admin, at a Cognito that demands an authenticator app and takes any proof and code."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest

from local.deployment import admin_sign_out, admin_token
from local.deployment.admin_pool import AdminPool
from local.deployment.admin_token import NotSignedIn, sign_in
from tests.unit.in_process_aws import aws_client

EMAIL, TEMPORARY, OWN = "ada@example.com", "Temporary-7-password", "My-own-7-password"


class Answers:
    """Answers the questions of a sign-in, and keeps them."""

    def __init__(self, *passwords: str) -> None:
        self._passwords = list(passwords)
        self.prompts: list[str] = []
        self.told: list[str] = []

    def password(self, prompt: str) -> str:
        self.prompts.append(prompt)
        return self._passwords.pop(0)

    def code(self, prompt: str) -> str:
        self.prompts.append(prompt)
        return "123456"

    def tell(self, text: str) -> None:
        self.told.append(text)


@pytest.fixture
def pool(moto: None) -> AdminPool:
    cognito = aws_client("cognito-idp")
    pool_id = cognito.create_user_pool(PoolName="admins", UsernameAttributes=["email"])["UserPool"]["Id"]
    cognito.set_user_pool_mfa_config(
        UserPoolId=pool_id, SoftwareTokenMfaConfiguration={"Enabled": True}, MfaConfiguration="ON"
    )
    client = cognito.create_user_pool_client(
        UserPoolId=pool_id, ClientName="admins", ExplicitAuthFlows=["ALLOW_USER_SRP_AUTH"]
    )
    cognito.admin_create_user(UserPoolId=pool_id, Username=EMAIL, TemporaryPassword=TEMPORARY, MessageAction="SUPPRESS")
    return AdminPool(pool_id, client["UserPoolClient"]["ClientId"], cognito)


def test_first_sign_in_sets_a_password_and_enrols_an_app_and_the_next_asks_for_its_code(pool: AdminPool) -> None:
    first = Answers(TEMPORARY, OWN, OWN)
    assert sign_in(pool, EMAIL, ask=first).count(".") == 2
    assert [prompt.partition(":")[0] for prompt in first.prompts] == [
        "Password",
        "This password is for the first sign-in only. Your new password",
        "The same again",
        "The code that it shows now",
    ]
    (told,) = first.told
    secret, address = (line.strip() for line in told.splitlines()[1:])
    parts = urlsplit(address)
    assert (parts.scheme, parts.netloc, parts.path) == ("otpauth", "totp", "/Lockstep%3Aada%40example.com")
    assert parse_qs(parts.query) == {"secret": [secret], "issuer": ["Lockstep"]}

    later = Answers(OWN)
    assert sign_in(pool, EMAIL, ask=later)
    assert later.prompts == ["Password: ", "Code of your authenticator app: "]
    assert later.told == []


def test_challenge_that_is_not_known_ends_the_sign_in(pool: AdminPool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool.cognito, "initiate_auth", lambda **_: {"ChallengeName": "SMS_MFA", "Session": "s"})
    with pytest.raises(NotSignedIn, match="SMS_MFA"):
        sign_in(pool, EMAIL, ask=Answers(OWN))


def test_token_alone_is_on_standard_output(
    pool: AdminPool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(admin_token, "open_admin_pool", lambda _: pool)
    assert admin_token.main(["prod"], {"EMAIL": EMAIL}, ask=Answers(TEMPORARY, OWN, OWN)) == 0
    told = capsys.readouterr()
    assert told.out.count("\n") == 1
    assert told.out.count(".") == 2
    assert told.err == ""


def test_refusal_is_told_in_one_line(
    pool: AdminPool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pool.cognito.admin_disable_user(UserPoolId=pool.id, Username=EMAIL)
    monkeypatch.setattr(admin_token, "open_admin_pool", lambda _: pool)
    assert admin_token.main(["prod"], {"EMAIL": EMAIL}, ask=Answers(TEMPORARY)) == 1
    told = capsys.readouterr()
    assert (told.out, told.err.count("\n")) == ("", 1)
    assert "not signed in" in told.err


@pytest.mark.parametrize("arguments", [[], ["staging"]])
def test_stage_and_address_are_asked_for(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert admin_token.main(arguments, {"EMAIL": EMAIL}, ask=Answers()) == 2
    assert admin_sign_out.main(arguments, {"EMAIL": EMAIL}) == 2
    assert admin_token.main(["prod"], {}, ask=Answers()) == 2
    assert admin_sign_out.main(["prod"], {}) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 4
    assert "STAGE=dev or STAGE=prod" in lines[0]
    assert "EMAIL=" in lines[2]
