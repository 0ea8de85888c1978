"""Fixtures of the unit tests: no network, and for those that ask a fresh AWS in this process.

`moto` answers AWS's calls; `aws` gives queues, the KMS key and the settings that point at them; `tables` adds every
table of `shared.models`. moto keeps no order under threads: tests that need threads belong in `tests/integration`.
"""

from __future__ import annotations

import importlib
import io
import json
import pkgutil
import socket
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from ipaddress import ip_address
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest
from joserfc.jwk import RSAKey
from moto import mock_aws
from moto.cognitoidp import models as cognito_models
from moto.kms.utils import generate_private_key
from pynamodb.connection import Connection

import shared.models
from local import embedded_tables
from shared import concurrency
from shared.api import admin_standing
from shared.models.base import Table
from shared.observability import logger
from shared.user_pool import AdminStanding
from tests.environment import environment
from tests.lambda_context import FakeContext
from tests.queues import create_queues
from tests.unit.in_process_aws import Queues, aws_client

for _module in pkgutil.iter_modules(shared.models.__path__):
    importlib.import_module(f"shared.models.{_module.name}")


@pytest.fixture(autouse=True)
def _unit_environment() -> Iterator[None]:
    with environment(
        AWS_ACCESS_KEY_ID="testing",
        AWS_SECRET_ACCESS_KEY="testing",
        AWS_SESSION_TOKEN="testing",
        AWS_DEFAULT_REGION="us-east-1",
        AWS_REGION="us-east-1",
        TABLE_PREFIX="unit-",
    ):
        yield


@pytest.fixture(autouse=True)
def _no_network(_unit_environment: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse connections to other machines.

    The environment comes first, so that it ends last: what a test has patched in it is undone before, or it would stay.
    """
    connect = socket.socket.connect

    def connect_locally(self: socket.socket, address: Any) -> None:
        if self.family != socket.AF_UNIX and not ip_address(address[0]).is_loopback:
            raise ConnectionRefusedError(f"a unit test connects to {address}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", connect_locally)


@pytest.fixture(scope="session")
def _rsa_keys_made_once() -> Iterator[None]:
    """Have moto make an RSA key once: it makes one for every KMS key and user pool, also where nobody signs with it."""

    @cache
    def import_text(key: str) -> RSAKey:
        return RSAKey.import_key(json.loads(key))

    def import_key(key: Mapping[str, Any]) -> RSAKey:
        return import_text(json.dumps(key))

    with (
        mock.patch("moto.kms.models.generate_private_key", cache(generate_private_key)),
        mock.patch.object(cognito_models, "jwk", SimpleNamespace(RSAKey=SimpleNamespace(import_key=import_key))),
    ):
        yield


@pytest.fixture
def moto(_rsa_keys_made_once: None) -> Iterator[None]:
    """Answer every AWS call in process."""
    # The session keeps what it has read of AWS's services, which takes longer than most tests.
    with mock_aws(config={"core": {"reset_boto3_session": False}}):
        yield


@pytest.fixture
def aws(moto: None, settings_from: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> Queues:
    """Create the queues and the KMS key of a fresh AWS, and point the settings at them."""
    queues = Queues(create_queues(aws_client("sqs")))
    key = aws_client("kms").create_key()["KeyMetadata"]["KeyId"]
    settings_from(
        **queues.environment,
        SECRETS_KEY_ID=key,
        PUBLIC_WEBHOOK_URL="https://hooks.example.com/v1/webhook/strategy",
    )
    # Tables are in the embedded AWS's engine, which is ten times faster than moto.
    embedded_tables.forget_tables()
    monkeypatch.setattr(Connection, "client", embedded_tables.InProcessTables())
    # moto keeps no order under threads.
    monkeypatch.setattr(concurrency, "MAX_THREADS", 1)
    return queues


@pytest.fixture
def tables(aws: Queues) -> Queues:
    """Make every table, empty, on top of `aws`."""
    for model in Table.__subclasses__():
        model.create_table(billing_mode="PAY_PER_REQUEST")
    return aws


@pytest.fixture
def admin_api(tables: Queues, settings_from: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> Queues:
    """Prepare what every function behind the REST API reads, on top of `tables`: the sample events' pools, paging, …"""
    paging_key = aws_client("kms").create_key(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")["KeyMetadata"][
        "KeyId"
    ]
    aws_client("ssm").put_parameter(Name="/unit/maintenance", Type="String", Value="off")
    settings_from(
        ADMIN_POOL_ID="us-east-1_EXAMPLE",
        ADMIN_POOL_CLIENT_ID="3n4b5urk1ft4fl3mg5e62d9ado",
        USER_POOL_ID="us-east-1_USERS",
        USER_POOL_CLIENT_ID="1h57kf5cpq17m0eml12EXAMPLE",
        PAGING_KEY_ID=paging_key,
        MAINTENANCE_PARAMETER="/unit/maintenance",
    )
    # The sample events' pools are in no Cognito.
    in_office = AdminStanding(enabled=True, in_group=True, signed_out_at=0)
    monkeypatch.setattr(admin_standing, "find_admin_standing", lambda *_, **__: in_office)
    return tables


@pytest.fixture
def account_api(admin_api: Queues) -> Queues:
    """Prepare what every function of the Account API reads."""
    return admin_api


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """Catch what is logged, a JSON object a line."""
    stream = io.StringIO()
    monkeypatch.setattr(logger.registered_handler, "stream", stream)
    return stream


@pytest.fixture
def lambda_context() -> FakeContext:
    """Return the context of one invocation."""
    return FakeContext()
