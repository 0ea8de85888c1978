"""A message says its version, and who does not know it fails loudly: nothing is misread, and nothing is lost."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from functions.order_executor import app
from shared.messages import (
    VERSION,
    Command,
    MessageVersionUnknown,
    OrderMessage,
    read_key_message,
    read_order_message,
    read_reconcile_message,
    read_trigger_message,
)
from tests.lambda_context import FakeContext
from tests.unit.in_process_aws import Queues

ORDER = {"command": "OPEN", "execution_id": "e", "api_key_id": "k", "symbol": "BTC/USDT"}
BODIES: list[tuple[Callable[[str], Any], dict[str, str]]] = [
    (read_order_message, ORDER),
    (read_reconcile_message, {"execution_id": "e"}),
    (read_reconcile_message, {"trigger_id": "t"}),
    (read_trigger_message, {"trigger_id": "t", "strategy_id": "s"}),
    (read_key_message, {"api_key_id": "k", "asked_at": "2026-11-29T00:00:00.000Z"}),
]


@pytest.mark.parametrize(("read", "fields"), BODIES)
def test_message_of_an_unknown_version_is_refused(read: Callable[[str], Any], fields: dict[str, str]) -> None:
    with pytest.raises(MessageVersionUnknown, match=f"version {VERSION + 1}, and this function knows {VERSION}"):
        read(json.dumps({"version": VERSION + 1, **fields}))


@pytest.mark.parametrize(("read", "fields"), BODIES)
def test_message_of_before_there_were_versions_is_read(read: Callable[[str], Any], fields: dict[str, str]) -> None:
    assert read(json.dumps(fields)) == read(json.dumps({"version": VERSION, **fields}))


def test_order_is_read_as_it_was_sent() -> None:
    for handed_over in (False, True):
        body = json.dumps({"version": VERSION, **ORDER, "handed_over": handed_over})
        assert read_order_message(body) == OrderMessage(Command.OPEN, "e", "k", "BTC/USDT", handed_over=handed_over)


def test_executor_leaves_an_order_of_an_unknown_version_in_the_queue(tables: Queues) -> None:
    record = {"messageId": "m", "receiptHandle": "r", "body": json.dumps({"version": VERSION + 1, **ORDER})}

    answer = app.lambda_handler({"Records": [record]}, FakeContext())

    assert answer == {"batchItemFailures": [{"itemIdentifier": "m"}]}
