"""Who gets in, on the deployed stack: every admin route, every kind of token that is not an admin's id token."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from typing import Any
from uuid import uuid4

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from local.stack.deploy import client
from local.stack.embedded_aws import signing_keys
from tests.contract.routes import Route, admin_routes
from tests.system.stack_client import Stack

ROUTES = admin_routes()

UNAUTHORIZED = (401, {"message": "unauthorized"})
FORBIDDEN = (403, {"message": "forbidden"})


class Forge:
    """Makes tokens: with the pool's own key, so that only what is said is wrong, or with others."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self.good = stack.session["adminToken"]
        self._head = jwt.get_unverified_header(self.good)
        self._claims: dict[str, Any] = jwt.decode(self.good, options={"verify_signature": False})
        pool = stack.running.deployed.outputs["UserPoolId"]
        pem = (signing_keys(stack.running.places) / f"{pool}-id.pem").read_bytes()
        self._key: Any = load_pem_private_key(pem, password=None)
        self._foreign = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.at_home = self.sign_in()

    def signed(self, **changes: Any) -> str:
        """Return a token that the pool signed, with other claims; None leaves a claim out."""
        claims = {name: value for name, value in (self._claims | changes).items() if value is not None}
        return jwt.encode(claims, self._key, algorithm="RS256", headers={"kid": self._head["kid"]})

    def unsigned(self, algorithm: str) -> str:
        """Return a token without a signature, that says so."""
        head = jwt.utils.base64url_encode(json.dumps(self._head | {"alg": algorithm}).encode()).decode()
        return f"{head}.{self.good.split('.')[1]}."

    def of_another_pool(self, *, kid: str | None = None, **changes: Any) -> str:
        """Return a token that a foreign key signed."""
        headers = {"kid": kid or self._head["kid"]}
        return jwt.encode(self._claims | changes, self._foreign, algorithm="RS256", headers=headers)

    def signed_with_the_public_key(self) -> str:
        """Return an HS256 token whose secret is what everybody may read."""
        public = self._key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        head = jwt.utils.base64url_encode(json.dumps(self._head | {"alg": "HS256"}).encode()).decode()
        text = f"{head}.{self.good.split('.')[1]}"
        # By hand: the library refuses to take a public key for a secret.
        signature = hmac.new(public, text.encode(), hashlib.sha256).digest()
        return f"{text}.{jwt.utils.base64url_encode(signature).decode()}"

    def sign_in(self, **client_settings: Any) -> dict[str, str]:
        """Return the tokens of a new admin who signs in: at the product's client, or at a new one of the same pool."""
        outputs, cognito = self._stack.running.deployed.outputs, client("cognito-idp", self._stack.running.places)
        pool, client_id = outputs["UserPoolId"], outputs["UserPoolClientId"]
        if client_settings:
            made = cognito.create_user_pool_client(UserPoolId=pool, **client_settings)
            client_id = made["UserPoolClient"]["ClientId"]
        email, password = f"{uuid4().hex}@example.com", f"{uuid4().hex}aA1!"
        cognito.admin_create_user(UserPoolId=pool, Username=email, MessageAction="SUPPRESS")
        cognito.admin_set_user_password(UserPoolId=pool, Username=email, Password=password, Permanent=True)
        cognito.admin_add_user_to_group(UserPoolId=pool, Username=email, GroupName="admin")
        answer = cognito.admin_initiate_auth(
            UserPoolId=pool,
            ClientId=client_id,
            AuthFlow="ADMIN_USER_PASSWORD_AUTH",
            AuthParameters={"USERNAME": email, "PASSWORD": password},
        )
        tokens: dict[str, str] = answer["AuthenticationResult"]
        self._stack.heard.secrets.update([password, tokens["AccessToken"], tokens["IdToken"], tokens["RefreshToken"]])
        return tokens


@pytest.fixture(scope="module")
def forge(stack: Stack) -> Forge:
    return Forge(stack)


@pytest.fixture(scope="module")
def strangers(stack: Stack, forge: Forge) -> dict[str, str | None]:
    """Return what nobody gets in with, by what is wrong with it."""
    good, now = forge.good, int(time.time())
    cut, other = good[:-1], "A" if good[-2] != "A" else "B"
    elsewhere = forge.sign_in(ClientName="another", ExplicitAuthFlows=["ALLOW_ADMIN_USER_PASSWORD_AUTH"])
    pool_of_others = "https://cognito-idp.us-east-1.amazonaws.com/us-east-1_OTHERS"
    return {
        "no token": None,
        "nothing after the scheme": "Bearer ",
        "a word": "garbage",
        "three words": "Bearer a.b.c",
        "no JSON inside": "e30.bm8.e30",
        "alg none": forge.unsigned("none"),
        "alg None": f"Bearer {forge.unsigned('None')}",
        "signed with the public key": forge.signed_with_the_public_key(),
        "another pool's key under our key's id": forge.of_another_pool(),
        "another pool's key and name": forge.of_another_pool(kid="others", iss=pool_of_others),
        "our key, another pool's name": forge.signed(iss=pool_of_others),
        "expired": forge.signed(exp=now - 1, iat=now - 3600, auth_time=now - 3600),
        "another client's audience": forge.signed(aud="3n4b5urk1ft4fl3mg5e62d9ado"),
        "no audience": forge.signed(aud=None),
        "another client's id token": elsewhere["IdToken"],
        "a cut signature": cut,
        "a changed signature": f"{good[:-2]}{other}{good[-1]}",
        "no signature": good.rpartition(".")[0] + ".",
        "two parts": good.rpartition(".")[0],
        "an access token": forge.at_home["AccessToken"],
        "a refresh token": forge.at_home["RefreshToken"],
        "an id token that says access": forge.signed(token_use="access"),
        "another scheme": f"Basic {good}",
    }


OUTSIDE: dict[str, Any] = {
    "no group": None,
    "another group": ["administrators"],
    "another case": ["Admin"],
    "another beginning": ["no-admin"],
}


def refusals(stack: Stack, route: Route, tokens: dict[str, str | None], expected: tuple[int, Any]) -> list[str]:
    """Return who was answered otherwise."""
    found = []
    for what, token in tokens.items():
        # An id of nothing and a body full of faults: who asks is looked at first.
        answer = stack.api(route.method, route.at(), token=token, body={"unknown": 1})
        if (answer.status, answer.json()) != expected or answer.headers["Content-Type"] != "application/json":
            found.append(f"{what}: {answer.status} {answer.text}")
    return found


@pytest.mark.parametrize("route", ROUTES, ids=str)
def test_without_an_admins_id_token_nobody_gets_in(
    stack: Stack, strangers: dict[str, str | None], route: Route
) -> None:
    assert not refusals(stack, route, strangers, UNAUTHORIZED)


@pytest.mark.parametrize("route", ROUTES, ids=str)
def test_outside_the_group_everything_is_forbidden(stack: Stack, forge: Forge, route: Route) -> None:
    tokens: dict[str, str | None] = {
        what: forge.signed(**{"cognito:groups": groups}) for what, groups in OUTSIDE.items()
    }
    assert not refusals(stack, route, tokens | {"the demo's user": stack.session["userToken"]}, FORBIDDEN)


@pytest.mark.parametrize("route", [route for route in ROUTES if route.method == "GET"], ids=str)
def test_the_forge_is_no_alibi_what_it_signs_gets_in(stack: Stack, forge: Forge, route: Route) -> None:
    for token in (forge.signed(), f"Bearer {forge.at_home['IdToken']}"):
        answer = stack.get(route.at(), token=token)
        assert answer.status == (404 if "{" in route.path else 200), answer.text


@pytest.mark.parametrize("function", sorted({route.function for route in ROUTES}))
def test_a_function_that_no_authorizer_guards_looks_at_the_token_itself(
    stack: Stack, strangers: dict[str, str | None], function: str
) -> None:
    route = next(route for route in ROUTES if route.function == function)
    for what, token in strangers.items():
        event = {
            "httpMethod": route.method,
            "path": route.at(),
            "resource": route.path,
            "headers": {} if token is None else {"Authorization": token},
            "multiValueHeaders": {},
            "queryStringParameters": None,
            "requestContext": {"requestId": str(uuid4()), "stage": "live"},
            "body": None,
            "isBase64Encoded": False,
        }
        answer = stack.invoke(function, event)
        assert (answer["statusCode"], json.loads(answer["body"])) == UNAUTHORIZED, what
