"""One embedded AWS and one paper exchange for the folder; every test gets a strategy and followers of its own."""

from __future__ import annotations

import importlib
import os
import pkgutil
import sys
from collections.abc import Iterator

import boto3
import pytest

import shared.models
from local.stack import embedded_aws
from local.stack.places import Places, Ports, clean_environment
from local.stack.processes import Process
from shared import config, messages, secrets
from shared.models import base
from shared.models.base import Table
from tests.integration.executor.world import PaperExchange, World

for _module in pkgutil.iter_modules(shared.models.__path__):
    importlib.import_module(f"shared.models.{_module.name}")


def _forget_clients() -> None:
    """Make the process build its settings and clients anew."""
    for kept in (config.settings, base.connection, secrets._kms, messages._sqs):
        kept.cache_clear()


@pytest.fixture(scope="package")
def _stack() -> Iterator[PaperExchange]:
    places = Places(Ports.find_free())
    aws = embedded_aws.start(places)
    exchange = Process(
        "paper exchange",
        [sys.executable, "-m", "local.paper_exchange", "--port", str(places.ports.exchange)],
        environment=clean_environment(),
        log=places.logs / "exchange.log",
    )
    with pytest.MonkeyPatch.context() as patch:
        try:
            embedded_aws.wait(aws, places)
            exchange.wait_until_it_answers(f"{places.exchange_url}/paper/prices", timeout_s=15)
            for name in [name for name in os.environ if name.startswith("AWS_")]:
                patch.delenv(name)
            for name, value in {
                "AWS_ENDPOINT_URL": places.aws_url,
                "AWS_ACCESS_KEY_ID": "test",
                "AWS_SECRET_ACCESS_KEY": "test",
                "AWS_REGION": "us-east-1",
                "AWS_DEFAULT_REGION": "us-east-1",
                "EXCHANGE_URL": places.exchange_url,
            }.items():
                patch.setenv(name, value)
            _forget_clients()
            sqs = boto3.client("sqs")
            for name in ("triggers", "orders"):
                queue = sqs.create_queue(QueueName=f"{name}.fifo", Attributes={"FifoQueue": "true"})
                patch.setenv(f"{name.upper()}_QUEUE_URL", queue["QueueUrl"])
            patch.setenv("RECONCILE_QUEUE_URL", sqs.create_queue(QueueName="reconcile")["QueueUrl"])
            patch.setenv("SECRETS_KEY_ID", boto3.client("kms").create_key()["KeyMetadata"]["KeyId"])
            _forget_clients()
            for model in Table.__subclasses__():
                model.create_table(billing_mode="PAY_PER_REQUEST", wait=True)
            yield PaperExchange(places.exchange_url)
        finally:
            exchange.stop()
            aws.stop()
    _forget_clients()


@pytest.fixture
def world(_stack: PaperExchange) -> Iterator[World]:
    """A strategy on BTC/USDT at 20000, no faults, nothing halted."""
    world = World(_stack)
    yield world
    world.tidy()
