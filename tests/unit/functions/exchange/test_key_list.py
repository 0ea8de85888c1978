"""A user's own exchange keys."""

from __future__ import annotations

import pytest

from functions.exchange.app import lambda_handler
from shared.models.exchange_key import TradeType
from tests.unit.admin_requests import pages, sample, send
from tests.unit.records import a_user, after, an_exchange_key, id_of

EVENT = "exchange/list_keys"

pytestmark = pytest.mark.usefixtures("account_api")


def test_own_keys_are_listed_newest_first_and_nobody_elses() -> None:
    a_user()
    mine = [an_exchange_key(id_of(f"mine {number}"), at=after(number)).id for number in range(3)]
    an_exchange_key(id_of("another's"), user_id=id_of("another"), at=after(1))
    found = pages(lambda_handler, sample(EVENT), limit=2)
    assert [item["id"] for page in found for item in page] == mine[::-1]
    assert "secret" not in str(found).lower()


def test_keys_of_a_trade_type_are_found() -> None:
    a_user()
    an_exchange_key(id_of("futures"))
    spot = an_exchange_key(id_of("spot"), trade_type=TradeType.SPOT)
    answer = send(lambda_handler, sample(EVENT, query={"tradeType": "SPOT"}))
    assert [item["id"] for item in answer.body["items"]] == [spot.id]
