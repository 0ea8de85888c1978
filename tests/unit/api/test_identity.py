"""Who gets in: claims of API Gateway's authorizer, and tokens that are verified against their pool's own keys."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import RSAAlgorithm

from shared.api.identity import AdminSession, admin_of, admin_session_of, user_of
from shared.errors import AccessDenied, ServiceUnavailable

POOL = "us-east-1_EXAMPLE"
CLIENT = "3n4b5urk1ft4fl3mg5e62d9ado"
ISSUER = f"https://cognito-idp.us-east-1.amazonaws.com/{POOL}"
USERS = "us-east-1_USERS"
USERS_CLIENT = "1h57kf5cpq17m0eml12EXAMPLE"
USERS_ISSUER = f"https://cognito-idp.us-east-1.amazonaws.com/{USERS}"
ADMIN_ID = "7d8ca528-4931-4254-9273-ea5ee853f271"


@pytest.fixture(autouse=True)
def pools(settings_from: Callable[..., None]) -> None:
    settings_from(ADMIN_POOL_ID=POOL, ADMIN_POOL_CLIENT_ID=CLIENT, USER_POOL_ID=USERS, USER_POOL_CLIENT_ID=USERS_CLIENT)


# ----------------------------------------------------------------------------- claims that the authorizer has read


def authorized(**claims: Any) -> dict[str, Any]:
    usual = {"sub": ADMIN_ID, "iss": ISSUER, "aud": CLIENT, "token_use": "id", "cognito:groups": "admin"}
    present = {name: value for name, value in (usual | claims).items() if value is not None}
    return {"requestContext": {"authorizer": {"claims": present}}}


def test_admin_of_the_authorizer_gets_in() -> None:
    assert admin_of(authorized()) == ADMIN_ID


@pytest.mark.parametrize("groups", ["admin", ["admin"], ["ops", "admin"], ["a,b", "admin"]])
def test_group_admin_is_found(groups: object) -> None:
    assert admin_of(authorized(**{"cognito:groups": groups})) == ADMIN_ID


@pytest.mark.parametrize(
    "groups",
    [
        None,
        "",
        "[]",
        [],
        "administrators",
        "[administrators]",
        "[super-admin ops]",
        "admins,ops",
        "Admin",
        "admin-ops",
        "admin ",
        "admin,ops",
        "x,admin",
        "x, admin",
        "[admin]",
        "[admin ops]",
        "[[admin]]",
        ["administrators"],
        ["admin ops"],
        ["ops,admin"],
        {"admin": True},
        7,
    ],
)
def test_users_outside_the_group_are_forbidden(groups: object) -> None:
    with pytest.raises(AccessDenied) as raised:
        admin_of(authorized(**{"cognito:groups": groups}))
    assert raised.value.authenticated
    assert str(raised.value) == "forbidden"


@pytest.mark.parametrize(
    "claims",
    [
        {"token_use": "access"},
        {"token_use": None},
        {"aud": "another-client"},
        {"aud": None},
        {"aud": ""},
        {"token_use": "access", "aud": None, "client_id": CLIENT},
        {"iss": None},
        {"iss": f"{ISSUER}X"},
        {"iss": USERS_ISSUER},
        {"aud": USERS_CLIENT},
        {"iss": USERS_ISSUER, "aud": USERS_CLIENT, "token_use": "access"},
    ],
)
def test_other_tokens_of_the_pool_are_unauthorized(claims: dict[str, Any]) -> None:
    with pytest.raises(AccessDenied) as raised:
        admin_of(authorized(**claims))
    assert not raised.value.authenticated


def test_session_of_an_admin_says_who_signed_in_when() -> None:
    # API Gateway writes every claim as text, and `iat` as a date in words.
    texts = {"auth_time": "1795900000", "iat": "Sun Nov 29 09:46:40 UTC 2026", "cognito:username": "ada"}
    assert admin_session_of(authorized(**texts)) == AdminSession(ADMIN_ID, "ada", 1_795_900_000)


@pytest.mark.parametrize("auth_time", [None, "", "Sun Nov 29 09:46:40 UTC 2026"])
def test_token_that_does_not_say_when_its_admin_signed_in_is_unauthorized(auth_time: object) -> None:
    with pytest.raises(AccessDenied) as raised:
        admin_session_of(authorized(**{"auth_time": auth_time, "cognito:username": "ada"}))
    assert not raised.value.authenticated


def test_nobody_is_admitted_without_a_configured_client(settings_from: Callable[..., None]) -> None:
    settings_from(ADMIN_POOL_CLIENT_ID="", USER_POOL_CLIENT_ID="")
    with pytest.raises(AccessDenied):
        admin_of(authorized(aud=""))
    with pytest.raises(AccessDenied):
        user_of(authorized(aud="", iss=USERS_ISSUER))


@pytest.mark.parametrize("groups", [None, "admin", ["admin"], "admin,ops", "[admin ops]"])
def test_group_called_admin_in_the_users_pool_is_nothing(groups: object) -> None:
    with pytest.raises(AccessDenied, match="forbidden") as raised:
        admin_of(of_a_user(**{"cognito:groups": groups}))
    assert raised.value.authenticated


def of_a_user(**claims: Any) -> dict[str, Any]:
    """Return a request of somebody in the users' pool."""
    return authorized(**{"iss": USERS_ISSUER, "aud": USERS_CLIENT, "cognito:groups": None} | claims)


def test_account_of_a_user_is_read_from_the_token() -> None:
    found = user_of(of_a_user(email="jane@example.com", email_verified="true", given_name="Jane", family_name="Doe"))
    assert (found.id, found.username, found.email, found.email_verified) == (ADMIN_ID, "", "jane@example.com", True)
    assert (found.first_name, found.last_name, found.status, found.enabled) == ("Jane", "Doe", "CONFIRMED", True)


def test_user_of_another_identity_provider_keeps_the_name_in_the_pool() -> None:
    assert user_of(of_a_user(**{"cognito:username": "Google_1"})).username == "Google_1"
    assert user_of(of_a_user(**{"cognito:username": ADMIN_ID})).username == ""


@pytest.mark.parametrize(
    "claims",
    [
        {"token_use": "access"},
        {"aud": "another-client"},
        {"aud": CLIENT},
        {"iss": ISSUER},
        {"iss": ISSUER, "aud": CLIENT},
        {"iss": ISSUER, "aud": CLIENT, "cognito:groups": "admin"},
        {"sub": None},
        {"sub": "../../etc"},
    ],
    ids=str,
)
def test_only_id_tokens_of_the_users_pool_open_an_account(claims: dict[str, Any]) -> None:
    with pytest.raises(AccessDenied) as raised:
        user_of(of_a_user(**claims))
    assert not raised.value.authenticated


@pytest.mark.parametrize("groups", [["a,admin"], ["b admin"], ["[admin]"], [7], [["admin"]]])
def test_group_names_are_never_cut_inside_a_signed_list(groups: object) -> None:
    with pytest.raises(AccessDenied, match="forbidden"):
        admin_of(authorized(**{"cognito:groups": groups}))


# ------------------------------------------------------------------------- tokens, without an authorizer


@dataclass(frozen=True, slots=True)
class Signer:
    """One RSA key of a pool."""

    kid: str
    key: rsa.RSAPrivateKey

    def public_jwk(self) -> dict[str, Any]:
        return RSAAlgorithm.to_jwk(self.key.public_key(), as_dict=True) | {
            "kid": self.kid,
            "use": "sig",
            "alg": "RS256",
        }


def a_signer(kid: str) -> Signer:
    return Signer(kid, rsa.generate_private_key(public_exponent=65537, key_size=2048))


OURS = a_signer("ours")
USERS_OWN = a_signer("users")
"""The key of the users' pool."""
STRANGER = a_signer("ours")
"""Another key under the same name."""


@pytest.fixture
def jwks(settings_from: Callable[..., None]) -> Iterator[list[str]]:
    """Serve the pool's keys; yield the paths that were requested."""
    requested: list[str] = []

    class Keys(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            requested.append(self.path)
            keys = {POOL: OURS, USERS: USERS_OWN}.get(self.path.split("/")[1])
            self.send_response(200 if keys and self.path.endswith("/.well-known/jwks.json") else 404)
            self.end_headers()
            self.wfile.write(json.dumps({"keys": [keys.public_jwk()] if keys else []}).encode())

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it
            """Stay silent."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Keys) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        settings_from(AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER=f"http://127.0.0.1:{server.server_port}")
        yield requested
        server.shutdown()


def claims(**changes: Any) -> dict[str, Any]:
    now = int(time.time())
    usual = {
        "sub": ADMIN_ID,
        "iss": ISSUER,
        "aud": CLIENT,
        "token_use": "id",
        "iat": now - 60,
        "exp": now + 600,
        "cognito:groups": ["admin"],
    }
    return {name: value for name, value in (usual | changes).items() if value is not None}


def a_token(
    signer: Signer = OURS, *, kid: str | None = "ours", groups: object = ("ops", "admin"), **changes: Any
) -> str:
    headers = {"kid": kid} if kid is not None else None
    return jwt.encode(claims(**changes | {"cognito:groups": groups}), signer.key, algorithm="RS256", headers=headers)


def bearing(token: str, *, header: str = "Authorization") -> dict[str, Any]:
    return {"headers": {header: token}, "requestContext": {"authorizer": None}}


def assert_unauthorized(event: dict[str, Any]) -> None:
    with pytest.raises(AccessDenied) as raised:
        admin_of(event)
    assert not raised.value.authenticated


def of_gateway(text: str, token: str) -> dict[str, Any]:
    """Return a request whose groups API Gateway has written as one text."""
    return authorized(**{"cognito:groups": text}) | {"headers": {"Authorization": f"Bearer {token}"}}


@pytest.mark.parametrize(
    ("text", "signed"),
    [
        ("admin,ops", ["admin", "ops"]),
        ("ops,admin", ["ops", "admin"]),
        ("x,y,admin", ["x,y", "admin"]),
        ("[admin]", ["admin"]),
        ("[admin ops]", ["admin", "ops"]),
    ],
)
def test_groups_that_the_gateway_wrote_as_one_text_are_those_of_the_token(
    jwks: list[str], text: str, signed: list[str]
) -> None:
    assert admin_of(of_gateway(text, a_token(groups=signed))) == ADMIN_ID


@pytest.mark.parametrize(
    ("text", "signed"),
    [
        ("x,admin", ["x,admin"]),
        ("admin,x", ["admin,x"]),
        ("x,admin,y", ["x,admin", "y"]),
        ("x,admin,y", ["x", "admin,y"]),
        ("[admin]", ["[admin]"]),
        ("[admin,x]", ["[admin", "x]"]),
        ("administrators", ["administrators"]),
    ],
)
def test_group_with_a_comma_or_brackets_in_its_name_is_one_group(jwks: list[str], text: str, signed: list[str]) -> None:
    with pytest.raises(AccessDenied, match="forbidden") as raised:
        admin_of(of_gateway(text, a_token(groups=signed)))
    assert raised.value.authenticated


def test_token_that_is_forged_or_of_somebody_else_makes_nobody_an_admin(jwks: list[str]) -> None:
    for token in (a_token(STRANGER), a_token(sub="1c0d2e42-6a0b-4e0c-8f2e-3a7a64b0e4ab"), a_token(exp=1)):
        with pytest.raises(AccessDenied):
            admin_of(of_gateway("x,admin", token))


def test_single_group_needs_no_key_of_the_pool(jwks: list[str]) -> None:
    assert admin_of(of_gateway("admin", a_token(STRANGER))) == ADMIN_ID
    assert jwks == []


@pytest.mark.parametrize("text", ["administrators", "[super-admin ops]", "Admin,ops", "no-admin,admins"])
def test_text_that_cannot_hold_the_group_is_forbidden_without_a_look_at_the_token(jwks: list[str], text: str) -> None:
    with pytest.raises(AccessDenied, match="forbidden"):
        admin_of(of_gateway(text, a_token(STRANGER)))
    assert jwks == []


OF_A_USER: dict[str, Any] = {"kid": "users", "iss": USERS_ISSUER, "aud": USERS_CLIENT, "groups": ["admin"]}


def test_token_of_the_users_pool_is_verified_with_its_keys_and_opens_an_account_alone(jwks: list[str]) -> None:
    event = bearing(a_token(USERS_OWN, **OF_A_USER))
    assert user_of(event).id == ADMIN_ID
    assert jwks == [f"/{USERS}/.well-known/jwks.json"]
    with pytest.raises(AccessDenied, match="forbidden"):
        admin_of(event)


def test_token_of_the_admins_pool_opens_no_account(jwks: list[str]) -> None:
    with pytest.raises(AccessDenied) as raised:
        user_of(bearing(a_token()))
    assert not raised.value.authenticated


def test_key_of_one_pool_signs_for_no_other(jwks: list[str]) -> None:
    assert_unauthorized(bearing(a_token(USERS_OWN, kid="users")))
    assert_unauthorized(bearing(a_token(USERS_OWN)))
    with pytest.raises(AccessDenied):
        user_of(bearing(a_token(OURS, **OF_A_USER)))


@pytest.mark.parametrize("scheme", ["", "Bearer ", "bearer ", "BEARER   ", " "])
@pytest.mark.parametrize("header", ["Authorization", "authorization"])
def test_valid_token_gets_in_with_or_without_bearer(jwks: list[str], scheme: str, header: str) -> None:
    assert admin_of(bearing(scheme + a_token(), header=header)) == ADMIN_ID


def test_keys_are_fetched_once(jwks: list[str]) -> None:
    for _ in range(3):
        admin_of(bearing(a_token()))
    assert jwks == [f"/{POOL}/.well-known/jwks.json"]


def test_valid_token_outside_the_group_is_forbidden(jwks: list[str]) -> None:
    for groups in (None, ["administrators"], []):
        with pytest.raises(AccessDenied) as raised:
            admin_of(bearing(a_token(groups=groups)))
        assert raised.value.authenticated


@pytest.mark.parametrize(
    "changes",
    [
        {"exp": 1_600_000_000},
        {"exp": None},
        {"aud": "another-client"},
        {"aud": None},
        {"aud": None, "token_use": "access", "client_id": CLIENT},
        {"token_use": "access"},
        {"token_use": None},
        {"iss": "https://cognito-idp.us-east-1.amazonaws.com/us-east-1_ANOTHER"},
        {"iss": "https://cognito-idp.eu-west-1.amazonaws.com/us-east-1_EXAMPLE"},
        {"iss": None},
        {"sub": None},
    ],
    ids=str,
)
def test_token_with_a_wrong_claim_is_unauthorized(jwks: list[str], changes: dict[str, Any]) -> None:
    assert_unauthorized(bearing(a_token(**changes)))


def test_token_signed_by_another_key_is_unauthorized(jwks: list[str]) -> None:
    assert_unauthorized(bearing(a_token(STRANGER)))
    assert_unauthorized(bearing(a_token(STRANGER, kid="theirs")))
    assert_unauthorized(bearing(a_token(kid=None)))


def test_unsigned_token_is_unauthorized(jwks: list[str]) -> None:
    assert_unauthorized(bearing(jwt.encode(claims(), "", algorithm="none", headers={"kid": "ours"})))
    head, body, _ = a_token().split(".")
    none = base64.urlsafe_b64encode(b'{"alg":"none","kid":"ours"}').decode().rstrip("=")
    for token in (f"{head}.{body}.", f"{head}.{body}", f"{none}.{body}."):
        assert_unauthorized(bearing(token))


def test_cut_or_changed_signature_is_unauthorized(jwks: list[str]) -> None:
    token = a_token()
    head, body, signature = token.split(".")
    richer = base64.urlsafe_b64encode(json.dumps(claims(**{"cognito:groups": ["root"]})).encode()).decode().rstrip("=")
    for changed in (token[:-1], token[:-40], f"{head}.{richer}.{signature}", f"{head}.{body}.{signature[::-1]}"):
        assert_unauthorized(bearing(changed))


def test_public_key_used_as_a_shared_secret_is_unauthorized(jwks: list[str]) -> None:
    public = OURS.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    head = base64.urlsafe_b64encode(b'{"alg":"HS256","kid":"ours","typ":"JWT"}').decode().rstrip("=")
    body = base64.urlsafe_b64encode(json.dumps(claims()).encode()).decode().rstrip("=")
    signed = f"{head}.{body}"
    mac = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256)
    forged = base64.urlsafe_b64encode(mac.sign(signed.encode(), public)).decode().rstrip("=")
    assert_unauthorized(bearing(f"{signed}.{forged}"))


@pytest.mark.parametrize(
    "token", ["", "Bearer", "Bearer ", "nonsense", "a.b.c", "Basic YWRtaW46YWRtaW4=", "\u00e9.\u00e9.\u00e9"]
)
def test_what_is_no_token_is_unauthorized(jwks: list[str], token: str) -> None:
    assert_unauthorized(bearing(token))


@pytest.mark.parametrize(
    "event", [{}, {"headers": None}, {"headers": {}, "requestContext": {"authorizer": {"claims": {}}}}]
)
def test_request_without_a_token_is_unauthorized(event: dict[str, Any]) -> None:
    assert_unauthorized(event)


def test_claims_of_the_authorizer_are_not_replaced_by_a_token(jwks: list[str]) -> None:
    assert_unauthorized(authorized(token_use="access") | {"headers": {"Authorization": a_token()}})


def test_keys_that_cannot_be_fetched_answer_503(settings_from: Callable[..., None]) -> None:
    settings_from(AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER="http://127.0.0.1:9")
    with pytest.raises(ServiceUnavailable):
        admin_of(bearing(a_token()))
