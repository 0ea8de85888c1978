"""An embedded AWS (MiniStack) for tests that need transactions under threads and real queues. One per test run."""

from __future__ import annotations

import importlib
import os
import pkgutil
import sys
from collections.abc import Iterator
from uuid import uuid4

import pytest

import shared.models
from local.stack.processes import Process
from tests.environment import environment
from tests.integration.embedded_aws import REGION, EmbeddedAws, create_tables, kms_key, reset_lanes, sqs_client
from tests.integration.services import free_port
from tests.queues import create_queues

for _module in pkgutil.iter_modules(shared.models.__path__):
    importlib.import_module(f"shared.models.{_module.name}")


@pytest.fixture(scope="session")
def ministack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Start MiniStack on a free port, in a clean environment, and return its address."""
    home = tmp_path_factory.mktemp("ministack")
    port = free_port()
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "TMPDIR": str(home),
        "BIND_HOST": "127.0.0.1",
        "MINISTACK_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "MINISTACK_REGION": REGION,
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
    }
    process = Process(
        "MiniStack", [sys.executable, "-m", "ministack"], environment=environment, log=home / "ministack.log"
    )
    try:
        process.wait_until_it_answers(f"http://127.0.0.1:{port}/_ministack/health", timeout_s=60)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.stop()


@pytest.fixture
def aws(ministack: str) -> Iterator[EmbeddedAws]:
    """Point every client of the product at the embedded AWS, with all tables and with queues of this test's own."""
    aws = EmbeddedAws(url=ministack, urls=create_queues(sqs_client(ministack), suffix=f"-{uuid4().hex[:8]}"))
    variables = {
        "AWS_ENDPOINT_URL": ministack,
        "AWS_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        **aws.environment,
        "SECRETS_KEY_ID": kms_key(ministack),
    }
    with environment(**variables, AWS_SESSION_TOKEN=None):
        create_tables(ministack)
        reset_lanes()
        yield aws
