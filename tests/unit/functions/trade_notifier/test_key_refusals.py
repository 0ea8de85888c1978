"""The notice of a key that the exchange refuses: at once, and once."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from functions.trade_notifier.app import NoticesNotQueued, lambda_handler
from shared.clock import utc_now
from shared.errors import ExchangeAuthorizationFailed
from shared.exchange import key_status
from shared.models.exchange_key import ApiKeyStatus, ExchangeKey
from shared.models.notice import Notice
from shared.notifications.notice_types import KeyRefused, NoticeKind, from_json
from tests.lambda_context import FakeContext
from tests.unit.in_process_aws import Queues
from tests.unit.records import KEY_ID, USER_ID, an_exchange_key

pytestmark = pytest.mark.usefixtures("tables")

REFUSED = ExchangeAuthorizationFailed("refused", code=-2015)


def change(write: Callable[[ExchangeKey], None]) -> dict[str, Any]:
    """Change the key, and return the record of the table's stream."""
    old = ExchangeKey.get(KEY_ID, consistent_read=True)
    image = old.to_dynamodb_dict()
    write(old)
    new = ExchangeKey.get(KEY_ID, consistent_read=True).to_dynamodb_dict()
    return {
        "eventName": "MODIFY",
        "dynamodb": {"Keys": {"id": {"S": KEY_ID}}, "OldImage": image, "NewImage": new},
    }


def deliver(*records: dict[str, Any]) -> None:
    lambda_handler({"Records": list(records)}, FakeContext())


def refuse(key: ExchangeKey) -> None:
    key_status.record_refusal(key, REFUSED)


def told() -> list[tuple[str, str]]:
    return [(notice.recipient, notice.kind) for notice in Notice.scan()]


def test_user_of_a_refused_key_is_told_at_once_and_once(tables: Queues) -> None:
    an_exchange_key(name="My key")
    record = change(refuse)
    deliver(record)
    deliver(record, record)
    assert told() == [(f"user#{USER_ID}", NoticeKind.KEY_REFUSED)]
    (notice,) = Notice.scan()
    key = ExchangeKey.get(KEY_ID, consistent_read=True)
    assert from_json(NoticeKind.KEY_REFUSED, notice.content) == KeyRefused(key_name="My key", at=key.updated_at)
    assert len(tables.sent_to(tables.notices)) >= 1


@pytest.mark.parametrize(
    "write",
    [
        key_status.record_failure,
        lambda key: key.update(actions=[ExchangeKey.name.set("another")]),
        lambda key: key.update(actions=[*key.activation(active=False), ExchangeKey.updated_at.set(utc_now())]),
    ],
)
def test_other_changes_of_a_key_are_not_told(write: Callable[[ExchangeKey], None]) -> None:
    an_exchange_key()
    deliver(change(write))
    assert told() == []


def test_further_changes_of_a_refused_key_are_not_told() -> None:
    an_exchange_key(api_key_status=ApiKeyStatus.UNAUTHORIZED, active=False, deactivated_by_refusal=True)
    deliver(change(lambda key: key.update(actions=[ExchangeKey.name.set("another")])))
    deliver(change(key_status.record_success))
    assert told() == []


def test_key_whose_refusals_come_and_go_is_told_once_a_day() -> None:
    an_exchange_key()
    records = [change(write) for write in (refuse, key_status.record_success, refuse)]
    deliver(*records)
    assert len(told()) == 1


def test_new_and_deleted_keys_are_not_told() -> None:
    image = an_exchange_key(api_key_status=ApiKeyStatus.UNAUTHORIZED).to_dynamodb_dict()
    keys = {"id": {"S": KEY_ID}}
    deliver({"eventName": "INSERT", "dynamodb": {"Keys": keys, "NewImage": image}})
    deliver({"eventName": "REMOVE", "dynamodb": {"Keys": keys, "OldImage": image}})
    assert told() == []


def test_change_that_cannot_be_read_is_delivered_again_and_its_image_is_not_logged(log: io.StringIO) -> None:
    an_exchange_key()
    record = change(refuse)
    del record["dynamodb"]["NewImage"]["updated_at"]
    with pytest.raises(NoticesNotQueued):
        deliver(record)
    (line,) = [json.loads(line) for line in log.getvalue().splitlines() if "event_failed" in line]
    assert line["id"] == KEY_ID
    assert "secret_ciphertext" not in log.getvalue()


def test_sample_event_is_told() -> None:
    deliver(*json.loads(Path("events/trade_notifier/key_refused.json").read_text())["Records"])
    assert told() == [(f"user#{USER_ID}", NoticeKind.KEY_REFUSED)]
