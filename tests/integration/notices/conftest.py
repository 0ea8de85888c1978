"""The stand-in for Telegram, once for the tests of this folder, beside the embedded AWS."""

from __future__ import annotations

import contextlib
import json
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import boto3
import pytest
from botocore.exceptions import ClientError

from local.telegram import BOT_TOKEN
from local.telegram.bot import messages, post
from shared.notifications import telegram
from tests.environment import environment
from tests.integration.conftest import EmbeddedAws
from tests.integration.services import running_stand_in


@dataclass(frozen=True, slots=True)
class StandIn:
    """The running stand-in, and a chat that no other test writes to."""

    url: str
    chat_id: str

    def received(self) -> list[dict[str, Any]]:
        """Return what came to the chat."""
        return messages(self.url, self.chat_id)

    def fail_next(self, **failure: Any) -> None:
        """Make the chat's next messages fail."""
        post(f"{self.url}/stand-in/failures", {"chatId": self.chat_id, **failure})

    def block(self) -> None:
        """Block the bot."""
        post(f"{self.url}/stand-in/blocked", {"chatId": self.chat_id})


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


@dataclass(frozen=True, slots=True)
class Letters:
    """What SES has sent."""

    url: str

    def to(self, address: str) -> list[dict[str, Any]]:
        """Return the letters to an address."""
        with urllib.request.urlopen(f"{self.url}/_ministack/ses/messages", timeout=10) as answer:  # noqa: S310
            found = json.load(answer)
        return [one for account in found["messages"].values() for one in account if address in one["To"]]
