"""An embedded AWS (MiniStack) for tests that need transactions under threads and real queues. One per test run."""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any
from uuid import uuid4

import boto3
import pytest

import shared.models
from local.stack.processes import Process
from shared.models.base import Table
from tests.environment import environment
from tests.integration.services import free_port
from tests.queues import QueueUrls, create_queues

for _module in pkgutil.iter_modules(shared.models.__path__):
    importlib.import_module(f"shared.models.{_module.name}")

_REGION = "us-east-1"


@dataclass(frozen=True, kw_only=True)
class EmbeddedAws(QueueUrls):
    """The AWS of one test: fresh queues, and tables that it shares with the other tests."""

    url: str

    def taken_from(self, queue_url: str) -> list[dict[str, Any]]:
        """Take every message that a queue holds now: its body with its group and de-duplication id."""
        sqs = sqs_client(self.url)
        taken: list[dict[str, Any]] = []
        while found := sqs.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10, AttributeNames=["All"]).get(
            "Messages"
        ):
            for message in found:
                attributes = message["Attributes"]
                taken.append(
                    {
                        **json.loads(message["Body"]),
                        "group": attributes.get("MessageGroupId"),
                        "dedup": attributes.get("MessageDeduplicationId"),
                    }
                )
                # Deleted, so that FIFO gives the rest of the group.
                sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])
        return taken


@cache
def sqs_client(url: str) -> Any:
    """Return a client of the embedded AWS's queues."""
    return boto3.client(
        "sqs", endpoint_url=url, region_name=_REGION, aws_access_key_id="test", aws_secret_access_key="test"
    )


@cache
def kms_key(url: str) -> str:
    """Return a key of the embedded AWS's KMS."""
    kms = boto3.client(
        "kms", endpoint_url=url, region_name=_REGION, aws_access_key_id="test", aws_secret_access_key="test"
    )
    key: str = kms.create_key()["KeyMetadata"]["KeyId"]
    return key


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
        "MINISTACK_REGION": _REGION,
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
        "AWS_REGION": _REGION,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        **aws.environment,
        "SECRETS_KEY_ID": kms_key(ministack),
    }
    with environment(**variables, AWS_SESSION_TOKEN=None):
        for model in Table.__subclasses__():
            if not model.exists():
                model.create_table(billing_mode="PAY_PER_REQUEST", wait=True)
        yield aws
