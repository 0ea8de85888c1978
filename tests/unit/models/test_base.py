"""The base of the tables without a connection to DynamoDB: a lost response is no failed condition."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError
from pynamodb.connection import Connection
from pynamodb.exceptions import TransactGetError, TransactWriteError, UpdateError

from shared.clock import utc_now
from shared.models import base
from shared.models.position_slot import PositionSlot
from tests.unit.in_process_aws import Queues


class CutOff:
    """A client whose requests are never answered."""

    _request_signer = None

    def _make_api_call(self, operation: str, request: dict[str, Any]) -> Any:
        raise ReadTimeoutError(endpoint_url="https://dynamodb.example")


@pytest.fixture
def cut_off(tables: Queues, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Connection, "client", CutOff())


@pytest.mark.usefixtures("cut_off")
def test_write_without_an_answer_is_no_failed_condition() -> None:
    slot = PositionSlot("key", "BTC/USDT")

    with pytest.raises(UpdateError), base.conditional_write() as write:
        slot.update(actions=[PositionSlot.updated_at.set(utc_now())])

    assert not write.applied


@pytest.mark.usefixtures("cut_off")
def test_transaction_without_an_answer_fails_as_itself() -> None:
    with pytest.raises(TransactWriteError):
        base.transact(lambda transaction: transaction.save(PositionSlot("key", "BTC/USDT")))
    with pytest.raises(TransactGetError):
        base.read_together((PositionSlot, "key", "BTC/USDT"))
