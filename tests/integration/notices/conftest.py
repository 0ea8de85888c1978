"""The stand-in for Telegram, once for the tests of this folder, beside the embedded AWS."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from uuid import uuid4

import boto3
import pytest
from botocore.exceptions import ClientError

from local.telegram import BOT_TOKEN
from local.telegram.bot import post
from shared.notifications import telegram
from tests.environment import environment
from tests.integration.embedded_aws import EmbeddedAws
from tests.integration.notices.stand_ins import Letters, StandIn
from tests.integration.services import running_stand_in


@pytest.fixture(scope="package")
def telegram_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Start the stand-in and return its address."""
    with running_stand_in(
        "local.telegram", probe="/stand-in/messages", directory=tmp_path_factory.mktemp("telegram")
    ) as url:
        yield url


@pytest.fixture
def stand_in(telegram_server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    """Point the bot at the stand-in."""
    monkeypatch.setattr(telegram, "read_parameter", lambda _: BOT_TOKEN)
    post(f"{telegram_server}/stand-in/failures", {"times": 0})
    with environment(TELEGRAM_URL=telegram_server):
        yield StandIn(telegram_server, chat_id=str(uuid4().int % 10**12 + 1))


@pytest.fixture
def letters(aws: EmbeddedAws) -> Iterator[Letters]:
    """Let letters be sent; SES in the embedded AWS keeps them."""
    # As an operator does: SES takes letters from verified identities only.
    ses = boto3.client("sesv2", endpoint_url=aws.url, region_name="us-east-1")
    with contextlib.suppress(ClientError):  # another test of this run did
        ses.create_email_identity(EmailIdentity="notices@example.com")
    with environment(SENDER_ADDRESS="notices@example.com"):
        yield Letters(aws.url)
