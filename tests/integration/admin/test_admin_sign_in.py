"""How an admin gets a token, at a Cognito that checks passwords by SRP and codes by their secret."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from local.deployment import admin_token
from local.deployment.admin_pool import AdminPool
from local.deployment.admin_token import sign_in
from tests.integration.admin.cognito import PASSWORD, Answers, claims_of, create_admin, create_admin_pool


@pytest.fixture
def pool(ministack: str) -> AdminPool:
    return create_admin_pool(ministack)


def test_admin_signs_in_with_a_password_that_is_never_sent(pool: AdminPool) -> None:
    email = create_admin(pool)
    claims = claims_of(sign_in(pool, email, ask=Answers(PASSWORD)))
    assert (claims["token_use"], claims["aud"], claims["cognito:groups"]) == ("id", pool.client_id, ["admin"])
    assert claims["email"] == email


def test_wrong_password_gets_no_token(pool: AdminPool) -> None:
    with pytest.raises(ClientError, match="NotAuthorizedException"):
        sign_in(pool, create_admin(pool), ask=Answers("Wrong-horse-7-battery"))


def test_first_sign_in_sets_a_password_of_the_admins_own(pool: AdminPool) -> None:
    email, own = create_admin(pool, permanent=False), "My-own-7-password"
    assert sign_in(pool, email, ask=Answers(PASSWORD, own, own))
    assert sign_in(pool, email, ask=Answers(own))
    with pytest.raises(ClientError, match="NotAuthorizedException"):
        sign_in(pool, email, ask=Answers(PASSWORD))


def test_two_new_passwords_that_differ_set_none(pool: AdminPool) -> None:
    email = create_admin(pool, permanent=False)
    with pytest.raises(admin_token.NotSignedIn, match="differ"):
        sign_in(pool, email, ask=Answers(PASSWORD, "My-own-7-password", "My-own-8-password"))
    own = "My-own-9-password"
    assert sign_in(pool, email, ask=Answers(PASSWORD, own, own))


def enrol(pool: AdminPool, email: str) -> str:
    """Enrol an authenticator app, which the embedded Cognito does not ask for, and return its secret."""
    answers = Answers()
    srp_tokens: dict[str, str] = {}
    original = pool.cognito.respond_to_auth_challenge

    def keep(**arguments: object) -> dict[str, dict[str, str]]:
        answer: dict[str, dict[str, str]] = original(**arguments)
        srp_tokens.update(answer.get("AuthenticationResult", {}))
        return answer

    pool.cognito.respond_to_auth_challenge = keep
    sign_in(pool, email, ask=Answers(PASSWORD))
    pool.cognito.respond_to_auth_challenge = original
    secret = pool.cognito.associate_software_token(AccessToken=srp_tokens["AccessToken"])["SecretCode"]
    answers.secret = str(secret)
    pool.cognito.verify_software_token(AccessToken=srp_tokens["AccessToken"], UserCode=answers.code(""))
    pool.cognito.set_user_mfa_preference(
        AccessToken=srp_tokens["AccessToken"], SoftwareTokenMfaSettings={"Enabled": True, "PreferredMfa": True}
    )
    return answers.secret


def test_enrolled_app_is_asked_for_and_its_code_is_checked(pool: AdminPool) -> None:
    pool.cognito.set_user_pool_mfa_config(
        UserPoolId=pool.id, SoftwareTokenMfaConfiguration={"Enabled": True}, MfaConfiguration="ON"
    )
    email = create_admin(pool)
    secret = enrol(pool, email)
    answers = Answers(PASSWORD, secret=secret)
    assert claims_of(sign_in(pool, email, ask=answers))["email"] == email
    assert answers.prompts == ["Password: ", "Code of your authenticator app: "]
    with pytest.raises(ClientError, match="CodeMismatchException"):
        sign_in(pool, email, ask=Answers(PASSWORD, secret="JBSWY3DPEHPK3PXP"))
