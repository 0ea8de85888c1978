"""A user's own balances, positions and orders: as an admin sees them, of one's own keys alone."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from functions.admin_exchange.app import lambda_handler as admin_exchange
from functions.exchange.app import lambda_handler
from shared.errors import ExchangeAuthorizationFailed
from shared.exchange import account_queries
from shared.models.balance_day import BalanceDay
from shared.models.exchange_key import ApiKeyStatus, ExchangeKey, TradeType
from tests.unit.admin_requests import sample, send
from tests.unit.in_process_aws import Queues
from tests.unit.records import KEY_ID, STARTED_AT, a_user, an_exchange_key, id_of

READS = ("get_balance", "list_positions", "list_open_orders")


@pytest.fixture(autouse=True)
def _exchange(account_api: Queues, monkeypatch: pytest.MonkeyPatch) -> None:
    a_user()
    position = {"symbol": "BTC/USDT", "contracts": Decimal("0.5"), "side": "long"}
    order = {
        "id": "8389765507282219800",
        "symbol": "BTC/USDT",
        "type": "stop_market",
        "postOnly": False,
        "reduceOnly": True,
        "cost": 0,
        "filled": 0,
        "trades": [],
        "fees": [],
    }
    balance = {"USDT": {"free": Decimal(90), "used": Decimal(10), "total": Decimal(100)}}
    monkeypatch.setattr(account_queries, "positions", lambda *_: [position])
    monkeypatch.setattr(account_queries, "open_orders", lambda *_: [order])
    monkeypatch.setattr(account_queries, "balance", lambda *_: balance)


@pytest.mark.parametrize("read", READS)
def test_own_account_is_what_an_admin_sees_of_the_key(read: str) -> None:
    an_exchange_key()
    query = {"symbol": "BTC/USDT"} if read == "list_open_orders" else None
    own = send(lambda_handler, sample(f"exchange/{read}", query=query))
    ours = {"list_positions": "list_positions_of_symbol"}.get(read, read)
    admins = send(admin_exchange, sample(f"admin_exchange/{ours}", query=query))
    assert (own.status, own.text) == (200, admins.text)


def test_balances_on_record_are_shown_newest_first() -> None:
    an_exchange_key()
    for day, total in (("2022-09-08", 100), ("2022-09-09", 110)):
        BalanceDay(KEY_ID, day, total_usd=Decimal(total), updated_at=STARTED_AT).save()
    answer = send(lambda_handler, sample("exchange/list_balance_history", query={"start": "2022-09-01"}))
    assert [(item["date"], item["totalUSD"]) for item in answer.body["items"]] == [
        ("2022-09-09", 110),
        ("2022-09-08", 100),
    ]


@pytest.mark.parametrize("read", READS)
def test_refusal_of_the_exchange_is_recorded_on_the_key(read: str, monkeypatch: pytest.MonkeyPatch) -> None:
    an_exchange_key()

    def refuse(*_: Any) -> Any:
        raise ExchangeAuthorizationFailed("no", code=-2015)

    for name in ("positions", "open_orders", "balance"):
        monkeypatch.setattr(account_queries, name, refuse)
    answer = send(lambda_handler, sample(f"exchange/{read}"))
    assert (answer.status, answer.body) == (403, {"message": "exchange API authorization failed"})
    assert ExchangeKey.get(KEY_ID).api_key_status is ApiKeyStatus.UNAUTHORIZED


def test_spot_key_has_no_positions() -> None:
    an_exchange_key(trade_type=TradeType.SPOT)
    answer = send(lambda_handler, sample("exchange/list_positions"))
    assert [(one["param"], one["location"]) for one in answer.body["errors"]] == [("API_KEY_ID", "params")]


@pytest.mark.parametrize("read", [*READS, "list_balance_history"])
def test_another_users_key_asks_no_exchange(read: str, monkeypatch: pytest.MonkeyPatch) -> None:
    an_exchange_key(user_id=id_of("another"))
    for name in ("positions", "open_orders", "balance"):
        monkeypatch.setattr(account_queries, name, lambda *_: 1 / 0)
    assert send(lambda_handler, sample(f"exchange/{read}")).status == 404
