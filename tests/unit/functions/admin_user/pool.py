"""A Cognito user pool in process, and what tests do to its users."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError
from moto.cognitoidp.models import cognitoidp_backends
from moto.core.models import DEFAULT_ACCOUNT_ID

from tests.unit.in_process_aws import aws_client

PASSWORD = "Correct horse 1 battery"
EMAIL = "janedoe@example.com"
GOOGLE_NAME = "Google_1234567890"


@dataclass(frozen=True, slots=True)
class Pool:
    """The pool of one test."""

    id: str
    client_id: str

    def sign_up(self, email: str = EMAIL, **attributes: str) -> str:
        """Add a confirmed user and return the id."""
        given = {"email": email, "email_verified": "true"} | attributes
        made = aws_client("cognito-idp").admin_create_user(
            UserPoolId=self.id,
            Username=email,
            UserAttributes=[{"Name": name, "Value": value} for name, value in given.items()],
            MessageAction="SUPPRESS",
        )
        user_id: str = made["User"]["Username"]
        aws_client("cognito-idp").admin_set_user_password(
            UserPoolId=self.id, Username=email, Password=PASSWORD, Permanent=True
        )
        return user_id

    def sign_in_from_google(self, username: str = GOOGLE_NAME, **attributes: str) -> str:
        """Add a user of another identity provider, whose name in the pool is not the id, and return the id."""
        user_id = self.sign_up(**attributes)
        self.rename(user_id, username)
        return user_id

    def rename(self, name: str, new_name: str) -> None:
        """Give a user a name that is not the id, which no call of Cognito's does in a pool of e-mail addresses."""
        users = cognitoidp_backends[DEFAULT_ACCOUNT_ID]["us-east-1"].user_pools[self.id].users
        users[new_name] = users.pop(name)
        users[new_name].username = new_name

    def sign_in(self, email: str = EMAIL) -> dict[str, Any]:
        """Return what signing in answers: the tokens, or a challenge."""
        answer: dict[str, Any] = aws_client("cognito-idp").initiate_auth(
            ClientId=self.client_id,
            AuthFlow="USER_PASSWORD_AUTH",
            AuthParameters={"USERNAME": email, "PASSWORD": PASSWORD},
        )
        return answer

    def may_sign_in(self, email: str = EMAIL) -> bool:
        """Return whether the user can sign in."""
        return _is_authorized(lambda: self.sign_in(email))

    def may_refresh(self, tokens: dict[str, Any]) -> bool:
        """Return whether a session goes on."""
        return _is_authorized(
            lambda: aws_client("cognito-idp").initiate_auth(
                ClientId=self.client_id,
                AuthFlow="REFRESH_TOKEN_AUTH",
                AuthParameters={"REFRESH_TOKEN": tokens["AuthenticationResult"]["RefreshToken"]},
            )
        )

    def set_up_totp(self, email: str = EMAIL) -> None:
        """Register an authenticator app for the user, and prefer it."""
        access_token = self.sign_in(email)["AuthenticationResult"]["AccessToken"]
        cognito = aws_client("cognito-idp")
        cognito.associate_software_token(AccessToken=access_token)
        cognito.verify_software_token(AccessToken=access_token, UserCode="123456")
        cognito.set_user_mfa_preference(
            AccessToken=access_token, SoftwareTokenMfaSettings={"Enabled": True, "PreferredMfa": True}
        )

    def update(self, user_id: str, **attributes: str) -> None:
        """Change a user's attributes in Cognito alone."""
        aws_client("cognito-idp").admin_update_user_attributes(
            UserPoolId=self.id,
            Username=user_id,
            UserAttributes=[{"Name": name, "Value": value} for name, value in attributes.items()],
        )

    def get(self, user_id: str) -> dict[str, Any]:
        """Return the user as Cognito shows it."""
        found: dict[str, Any] = aws_client("cognito-idp").admin_get_user(UserPoolId=self.id, Username=user_id)
        return found


def _is_authorized(request: Callable[[], Any]) -> bool:
    try:
        request()
    except ClientError as error:
        if error.response["Error"]["Code"] != "NotAuthorizedException":
            raise
        return False
    return True
