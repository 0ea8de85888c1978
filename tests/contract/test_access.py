"""Who gets in, on the deployed stack: every route of both APIs, and every kind of token that is no id token for it."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from local.deployment.admin_pool import AdminPool
from local.deployment.admin_sign_out import sign_out
from local.stack.deploy import client
from local.stack.embedded_aws import signing_keys
from tests.contract.routes import Route, account_routes, admin_routes
from tests.system.stack_client import Stack

ROUTES = admin_routes()
ACCOUNT_ROUTES = account_routes()

UNAUTHORIZED = (401, {"message": "unauthorized"})
FORBIDDEN = (403, {"message": "forbidden"})


class Forge:
    """Makes tokens: with the pool's own key, so that only what is said is wrong, or with others."""

    def __init__(self, stack: Stack, pool: str) -> None:
        self._stack, self._pool = stack, pool
        self.good = stack.session[f"{pool.lower()}Token"]
        self._head = jwt.get_unverified_header(self.good)
        self._claims: dict[str, Any] = jwt.decode(self.good, options={"verify_signature": False})
        pool_id = stack.running.deployed.outputs[f"{pool}PoolId"]
        pem = (signing_keys(stack.running.places) / f"{pool_id}-id.pem").read_bytes()
        self._key: Any = load_pem_private_key(pem, password=None)
        self._foreign = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.at_home = self.sign_in()

    def signed(self, **changes: Any) -> str:
        """Return a token that the pool signed, with other claims; None leaves a claim out."""
        claims = {name: value for name, value in (self._claims | changes).items() if value is not None}
        return jwt.encode(claims, self._key, algorithm="RS256", headers={"kid": self._head["kid"]})

    @staticmethod
    def subject_of(token: str) -> str:
        """Return the `sub` of a token."""
        return str(jwt.decode(token, options={"verify_signature": False})["sub"])

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
        """Return the tokens of a new account: signed in at the product's client, or at a new one of the same pool."""
        outputs, cognito = self._stack.running.deployed.outputs, client("cognito-idp", self._stack.running.places)
        pool, client_id = outputs[f"{self._pool}PoolId"], outputs[f"{self._pool}PoolClientId"]
        if client_settings:
            made = cognito.create_user_pool_client(UserPoolId=pool, **client_settings)
            client_id = made["UserPoolClient"]["ClientId"]
        email, password = f"{uuid4().hex}@example.com", f"{uuid4().hex}aA1!"
        cognito.admin_create_user(UserPoolId=pool, Username=email, MessageAction="SUPPRESS")
        cognito.admin_set_user_password(UserPoolId=pool, Username=email, Password=password, Permanent=True)
        if self._pool == "Admin":
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
    return Forge(stack, "Admin")


@pytest.fixture(scope="module")
def users_forge(stack: Stack) -> Forge:
    return Forge(stack, "User")


@pytest.fixture(scope="module")
def strangers(forge: Forge) -> dict[str, str | None]:
    return strangers_of(forge)


@pytest.fixture(scope="module")
def strangers_among_users(users_forge: Forge) -> dict[str, str | None]:
    return strangers_of(users_forge)


def strangers_of(forge: Forge) -> dict[str, str | None]:
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
    assert not refusals(stack, route, tokens, FORBIDDEN)


@pytest.mark.parametrize("route", ROUTES, ids=str)
def test_a_users_token_is_forbidden_and_a_group_called_admin_in_the_users_pool_is_nothing(
    stack: Stack, users_forge: Forge, route: Route
) -> None:
    tokens: dict[str, str | None] = {
        "the demo's user": stack.session["userToken"],
        "a user in a group called admin": users_forge.signed(**{"cognito:groups": ["admin"]}),
        "the same, in two groups": users_forge.signed(**{"cognito:groups": ["admin", "ops"]}),
    }
    assert not refusals(stack, route, tokens, FORBIDDEN)
    assert not refusals(stack, route, {"a user's access token": users_forge.at_home["AccessToken"]}, UNAUTHORIZED)


@pytest.mark.parametrize("route", ACCOUNT_ROUTES, ids=str)
def test_without_a_users_id_token_nobody_gets_into_an_account(
    stack: Stack, strangers_among_users: dict[str, str | None], route: Route
) -> None:
    assert not refusals(stack, route, strangers_among_users, UNAUTHORIZED)


@pytest.mark.parametrize("route", ACCOUNT_ROUTES, ids=str)
def test_an_admins_token_opens_no_account(stack: Stack, forge: Forge, route: Route) -> None:
    tokens: dict[str, str | None] = {
        "the demo's admin": stack.session["adminToken"],
        "an admin outside the group": forge.signed(**{"cognito:groups": None}),
        "an admin as a user": forge.signed(sub=forge.subject_of(stack.session["userToken"])),
    }
    assert not refusals(stack, route, tokens, UNAUTHORIZED)


@pytest.mark.parametrize("route", [one for one in ACCOUNT_ROUTES if one.method == "GET"], ids=str)
def test_what_the_users_forge_signs_gets_in(stack: Stack, users_forge: Forge, route: Route) -> None:
    for token in (users_forge.signed(), f"Bearer {users_forge.at_home['IdToken']}"):
        answer = stack.get(route.at(), token=token)
        assert answer.status not in (401, 403), answer.text


NEEDED_QUERIES = {"/v1/admin/operation/dead-letter/list": "?queue=orders.fifo"}


@pytest.mark.parametrize("route", [route for route in ROUTES if route.method == "GET"], ids=str)
def test_the_forge_is_no_alibi_what_it_signs_gets_in(stack: Stack, forge: Forge, route: Route) -> None:
    for token in (forge.signed(), f"Bearer {forge.at_home['IdToken']}"):
        answer = stack.get(route.at() + NEEDED_QUERIES.get(route.path, ""), token=token)
        assert answer.status == (404 if "{" in route.path else 200), answer.text


def test_admin_who_is_none_any_more_is_out_before_the_token_expires(stack: Stack, forge: Forge) -> None:
    outputs, places = stack.running.deployed.outputs, stack.running.places
    pool = AdminPool(outputs["AdminPoolId"], outputs["AdminPoolClientId"], client("cognito-idp", places))
    ends: dict[str, tuple[Callable[[str], Any], tuple[int, Any]]] = {
        "disabled": (lambda name: pool.cognito.admin_disable_user(UserPoolId=pool.id, Username=name), UNAUTHORIZED),
        "signed out": (lambda name: sign_out(pool, name), UNAUTHORIZED),
        "taken from the group": (
            lambda name: pool.cognito.admin_remove_user_from_group(
                UserPoolId=pool.id, Username=name, GroupName="admin"
            ),
            FORBIDDEN,
        ),
    }
    for what, (end, expected) in ends.items():
        token = forge.sign_in()["IdToken"]
        # Before the first request: no container has an older answer of Cognito's.
        end(jwt.decode(token, options={"verify_signature": False})["cognito:username"])
        for route in first_routes(ROUTES):
            answer = stack.api(route.method, route.at(), token=token, body={})
            assert (answer.status, answer.json()) == expected, f"{what}: {route}"


def without_authorizer(stack: Stack, route: Route, token: str | None) -> tuple[int, Any]:
    """Return what the function answers to a request that no authorizer has checked."""
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
    answer = stack.invoke(route.function, event)
    return answer["statusCode"], json.loads(answer["body"])


def first_routes(routes: list[Route]) -> list[Route]:
    """Return a route of each function."""
    return list({route.function: route for route in reversed(routes)}.values())


@pytest.mark.parametrize("route", first_routes(ROUTES), ids=lambda route: route.function)
def test_a_function_that_no_authorizer_guards_looks_at_the_token_itself(
    stack: Stack, strangers: dict[str, str | None], route: Route
) -> None:
    for what, token in strangers.items():
        assert without_authorizer(stack, route, token) == UNAUTHORIZED, what
    assert without_authorizer(stack, route, stack.session["userToken"]) == FORBIDDEN


@pytest.mark.parametrize("route", first_routes(ACCOUNT_ROUTES), ids=lambda route: route.function)
def test_a_function_of_accounts_that_no_authorizer_guards_looks_at_the_token_itself(
    stack: Stack, strangers_among_users: dict[str, str | None], route: Route
) -> None:
    for what, token in (strangers_among_users | {"the demo's admin": stack.session["adminToken"]}).items():
        assert without_authorizer(stack, route, token) == UNAUTHORIZED, what
    assert without_authorizer(stack, route, stack.session["userToken"])[0] not in (401, 403)
