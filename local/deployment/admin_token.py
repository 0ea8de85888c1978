"""Signs an admin in and prints the id token: `make admin-token STAGE=prod EMAIL=ada@example.com`.

The password never leaves this machine: Cognito and this program prove to each other that they know it (SRP). The first
sign-in sets a password of the admin's own and enrols an authenticator app; every later one asks for the app's code.
Standard output has the token alone; questions and explanations go to standard error.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from getpass import getpass
from typing import Any, Protocol
from urllib.parse import quote

from pycognito.aws_srp import AWSSRP

from local.deployment.admin_pool import AdminPool, open_admin_pool
from local.deployment.command import exit_status_of

_ISSUER = "Lockstep"
"""The name that an authenticator app shows beside the address."""


class NotSignedIn(Exception):
    """The sign-in ended without a token; the text says why, in one line."""


class Questions(Protocol):
    """What a sign-in asks the admin, and tells them."""

    def password(self, prompt: str) -> str:
        """Ask for something that is not shown on the screen."""

    def code(self, prompt: str) -> str:
        """Ask for a code of the authenticator app."""

    def tell(self, text: str) -> None:
        """Say something."""


def sign_in(pool: AdminPool, email: str, *, ask: Questions) -> str:
    """Return the id token of an admin; raise NotSignedIn, or botocore's errors."""
    srp = AWSSRP(
        username=email,
        password=ask.password("Password: "),
        pool_id=pool.id,
        client_id=pool.client_id,
        client=pool.cognito,
    )
    asked = srp.get_auth_params()
    answer = pool.cognito.initiate_auth(ClientId=pool.client_id, AuthFlow="USER_SRP_AUTH", AuthParameters=asked)
    # Later steps name the account as the first one did, not by the address.
    name = answer.get("ChallengeParameters", {}).get("USERNAME", email)
    while "AuthenticationResult" not in answer:
        session = answer.get("Session")
        challenge = answer["ChallengeName"]
        match challenge:
            case "PASSWORD_VERIFIER":
                responses = srp.process_challenge(answer["ChallengeParameters"], asked)
            case "NEW_PASSWORD_REQUIRED":
                responses = {"NEW_PASSWORD": _new_password(ask)}
            case "MFA_SETUP":
                session, responses = _enrol(pool, session, email, ask=ask), {}
            case "SOFTWARE_TOKEN_MFA":
                responses = {"SOFTWARE_TOKEN_MFA_CODE": ask.code("Code of your authenticator app: ")}
            case _:
                raise NotSignedIn(f"Cognito asks for {challenge}, which this program does not know")
        answer = pool.cognito.respond_to_auth_challenge(
            ClientId=pool.client_id,
            ChallengeName=challenge,
            ChallengeResponses={"USERNAME": name, **responses},
            **({"Session": session} if session else {}),
        )
    return str(answer["AuthenticationResult"]["IdToken"])


def _new_password(ask: Questions) -> str:
    password = ask.password("This password is for the first sign-in only. Your new password: ")
    if ask.password("The same again: ") != password:
        raise NotSignedIn("the two passwords differ: run this again")
    return password


def _enrol(pool: AdminPool, session: Any, email: str, *, ask: Questions) -> str:
    """Enrol an authenticator app and return the session in which the sign-in goes on."""
    made = pool.cognito.associate_software_token(Session=session)
    secret = made["SecretCode"]
    ask.tell(
        "Add an account to your authenticator app: enter this key, or make a QR code of the address below it.\n"
        f"  {secret}\n"
        f"  otpauth://totp/{quote(f'{_ISSUER}:{email}')}?secret={secret}&issuer={quote(_ISSUER)}"
    )
    verified = pool.cognito.verify_software_token(
        Session=made["Session"], UserCode=ask.code("The code that it shows now: ")
    )
    return str(verified["Session"])


class Terminal:
    """Asks on the terminal, and leaves standard output to the token."""

    def password(self, prompt: str) -> str:
        """Ask for something that is not shown on the screen."""
        return getpass(prompt, stream=sys.stderr)

    def code(self, prompt: str) -> str:
        """Ask for a code of the authenticator app."""
        print(prompt, end="", file=sys.stderr, flush=True)
        return sys.stdin.readline().strip()

    def tell(self, text: str) -> None:
        """Say something."""
        print(text, file=sys.stderr)


def main(arguments: list[str], environment: Mapping[str, str], *, ask: Questions) -> int:
    """Print the token of the admin who is named and return the exit status."""
    email = environment.get("EMAIL", "")
    if not email:
        print("name the admin: make admin-token STAGE=prod EMAIL=ada@example.com", file=sys.stderr)
        return 2

    def print_token() -> int:
        try:
            print(sign_in(open_admin_pool(arguments), email, ask=ask))
        except NotSignedIn as error:
            print(error, file=sys.stderr)
            return 1
        return 0

    return exit_status_of(print_token, advice="; not signed in")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ, ask=Terminal()))
