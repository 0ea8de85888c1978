"""Pools of admins in the embedded AWS, and admins in them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import struct
import time
from typing import Any
from uuid import uuid4

import boto3

from local.deployment.admin_pool import AdminPool
from local.stack.deploy import read_template
from tests.integration.embedded_aws import REGION

PASSWORD = "Correct-horse-7-battery"


def create_admin_pool(url: str, **settings: Any) -> AdminPool:
    """Create a pool with the template's attributes, and a client at which one signs in by SRP."""
    cognito: Any = boto3.client(
        "cognito-idp", endpoint_url=url, region_name=REGION, aws_access_key_id="test", aws_secret_access_key="test"
    )
    declared = read_template()["Resources"]["AdminPool"]["Properties"]
    pool = cognito.create_user_pool(
        PoolName=f"admins-{uuid4().hex}",
        UsernameAttributes=declared["UsernameAttributes"],
        UsernameConfiguration=declared["UsernameConfiguration"],
        Schema=declared["Schema"],
        **settings,
    )["UserPool"]["Id"]
    cognito.create_group(UserPoolId=pool, GroupName="admin")
    client = cognito.create_user_pool_client(
        UserPoolId=pool, ClientName="admins", ExplicitAuthFlows=["ALLOW_USER_SRP_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"]
    )
    return AdminPool(pool, client["UserPoolClient"]["ClientId"], cognito)


def create_admin(pool: AdminPool, *, permanent: bool = True) -> str:
    """Create an enabled admin with `PASSWORD`, which the first sign-in changes unless it is permanent."""
    email = f"{uuid4().hex}@example.com"
    pool.cognito.admin_create_user(
        UserPoolId=pool.id,
        Username=email,
        TemporaryPassword=PASSWORD,
        UserAttributes=[{"Name": "email", "Value": email}, {"Name": "email_verified", "Value": "true"}],
        MessageAction="SUPPRESS",
    )
    if permanent:
        pool.cognito.admin_set_user_password(UserPoolId=pool.id, Username=email, Password=PASSWORD, Permanent=True)
    pool.cognito.admin_add_user_to_group(UserPoolId=pool.id, Username=email, GroupName="admin")
    return email


def claims_of(token: str) -> dict[str, Any]:
    """Return what a token says."""
    body = token.split(".")[1]
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    return claims


def totp(secret: str, *, at: float | None = None) -> str:
    """Return the code that an authenticator app shows (RFC 6238: SHA-1, 30 s, six digits)."""
    key = base64.b32decode(secret + "=" * (-len(secret) % 8))
    counter = struct.pack(">Q", int((time.time() if at is None else at) // 30))
    digest = hmac.new(key, counter, hashlib.sha1).digest()
    offset = digest[-1] & 15
    number = struct.unpack(">I", digest[offset : offset + 4])[0] & 0x7FFFFFFF
    return f"{number % 1_000_000:06d}"


class Answers:
    """Answers the questions of a sign-in, and keeps what it was told."""

    def __init__(self, *passwords: str, secret: str = "") -> None:
        self._passwords = list(passwords)
        self.secret = secret
        self.prompts: list[str] = []
        self.told: list[str] = []

    def password(self, prompt: str) -> str:
        self.prompts.append(prompt)
        return self._passwords.pop(0)

    def code(self, prompt: str) -> str:
        self.prompts.append(prompt)
        return totp(self.secret)

    def tell(self, text: str) -> None:
        self.told.append(text)
        self.secret = text.splitlines()[1].strip()
