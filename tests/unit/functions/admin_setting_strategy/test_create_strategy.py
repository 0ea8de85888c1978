from __future__ import annotations

import io
import re
from typing import Any

import pytest

from functions.admin_setting_strategy.app import lambda_handler
from shared import secrets
from shared.errors import ExchangeUnavailable, OutcomeUnknown
from shared.models.base import LISTED
from shared.models.strategy import Strategy
from shared.models.unique_name import UniqueName
from tests.unit.admin_requests import Answer, fault, sample, send, with_body
from tests.unit.functions.admin_setting_strategy.exchange import Exchange

API_KEY = "c4qZMdKgwVrhXEa5ADCavztHspKckYDAHpvTW8AqbA4QHJr5nWFbMBrydtMKd73H"
SECRET = "DXnXuCLBWHZdbcSQb7f5aaSeMZfhuP4N7BGhBmSsDbM5ZzIw5qZe6MWzQINTjuND"
DOCUMENTED = {
    "name": "STRATEGY #5",
    "exchangeId": "BINANCE",
    "symbol": "BTC/USDT",
    "reportExchangeApiKey": API_KEY,
    "reportExchangeApiSecretKey": SECRET,
}
NAME_TEXT = "must be text of 1 to 100 characters"

pytestmark = pytest.mark.usefixtures("admin_api")


def create(**changes: Any) -> Answer:
    event = sample("admin_setting_strategy/create_strategy")
    return send(lambda_handler, with_body(event, DOCUMENTED | changes) if changes else event)


def stored() -> list[str]:
    return [key.id for key in Strategy.by_created.query(LISTED)]


def test_strategy_is_created_as_documented() -> None:
    answer = create()
    assert answer.status == 200
    body = answer.body
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", body["id"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", body["createdAt"])
    assert body == {
        "id": body["id"],
        "active": True,
        "name": "STRATEGY #5",
        "description": None,
        "exchangeId": "BINANCE",
        "symbol": "BTC/USDT",
        "reportExchangeApiKey": API_KEY,
        "createdAt": body["createdAt"],
        "updatedAt": body["createdAt"],
    }
    listed = send(lambda_handler, sample("admin_setting_strategy/list_strategies")).body
    assert listed == {"items": [body]}


def test_secret_is_stored_sealed_under_the_strategys_id_and_never_returned() -> None:
    answer = create()
    strategy = Strategy.get(answer.body["id"])
    assert SECRET.encode() not in strategy.report_secret_ciphertext
    assert (
        secrets.unseal(strategy.report_secret_ciphertext, kind=secrets.SecretKind.REPORT_KEY, owner_id=strategy.id)
        == SECRET
    )
    assert SECRET not in answer.text


def test_optional_fields_are_taken() -> None:
    body = create(active=False, description="Breakouts on the daily chart").body
    assert (body["active"], body["description"]) == (False, "Breakouts on the daily chart")


def test_fields_of_the_answer_may_be_sent_back() -> None:
    answer = create(id="mine", createdAt="2022-09-27T00:30:14.150Z", updatedAt=None)
    assert answer.status == 200
    assert answer.body["id"] != "mine"


def test_symbol_without_a_slash_is_the_documented_fault() -> None:
    answer = send(lambda_handler, sample("admin_setting_strategy/create_strategy_wrong_symbol"))
    assert answer.status == 422
    assert answer.body == {"errors": [fault("must be format BASE/QUOTE", "symbol", "body", value="BTCUSDT")]}


def test_empty_body_names_every_required_field_in_the_documented_order() -> None:
    answer = send(lambda_handler, sample("admin_setting_strategy/create_strategy_empty_body"))
    assert answer.status == 422
    assert answer.body == {
        "errors": [
            fault(NAME_TEXT, "name", "body"),
            fault("must be supported exchange", "exchangeId", "body"),
            fault("must be format BASE/QUOTE", "symbol", "body"),
            fault("must be API key", "reportExchangeApiKey", "body"),
            fault("must be API secret key", "reportExchangeApiSecretKey", "body"),
        ]
    }


def test_every_wrong_field_is_named_and_no_secret_is_echoed() -> None:
    answer = create(
        active="yes", name=" ", description=7, exchangeId="KRAKEN", reportExchangeApiSecretKey="two words", color="red"
    )
    assert answer.status == 422
    assert answer.body["errors"] == [
        fault("must be boolean", "active", "body", value="yes"),
        fault(NAME_TEXT, "name", "body", value=" "),
        fault("must be null or text of at most 2000 characters", "description", "body", value=7),
        fault("must be supported exchange", "exchangeId", "body", value="KRAKEN"),
        fault("must be API secret key", "reportExchangeApiSecretKey", "body"),
        fault("unknown field", "color", "body"),
    ]
    assert "two words" not in answer.text
    assert stored() == []


@pytest.mark.parametrize("body", ["", None, "{", "[]", '"text"'])
def test_body_that_is_no_object_is_a_bad_request(body: str | None) -> None:
    answer = send(lambda_handler, with_body(sample("admin_setting_strategy/create_strategy"), body))
    assert answer.status == 400
    assert set(answer.body) == {"message"}


def test_refused_report_key_answers_433_as_documented(exchange: Exchange) -> None:
    exchange.refused_keys = {API_KEY}
    answer = create()
    assert (answer.status, answer.body) == (433, {"error": "exchange API authorization failed (1103)"})
    assert stored() == []


@pytest.mark.parametrize("symbol", ["币安人生/USDT", "BTC/USDT-261225"])
def test_any_symbol_that_trades_there_is_accepted(exchange: Exchange, symbol: str) -> None:
    exchange.symbols.add(symbol)
    answer = create(symbol=symbol)
    assert (answer.status, answer.body.get("symbol")) == (200, symbol)


@pytest.mark.parametrize(
    "symbol", ["BTC/US\u200bDT", "BTC /USDT", "BTC/USDT\n", "/USDT", "BTC/", "A/B/C", "A" * 50 + "/B"]
)
def test_text_that_is_no_symbol_is_a_fault(symbol: str) -> None:
    assert create(symbol=symbol).body["errors"] == [fault("must be format BASE/QUOTE", "symbol", "body", value=symbol)]


def test_symbol_that_does_not_trade_there_is_a_fault() -> None:
    answer = create(symbol="XYZ/USDT")
    assert answer.status == 422
    assert answer.body == {"errors": [fault("must be supported symbol", "symbol", "body", value="XYZ/USDT")]}
    assert stored() == []


@pytest.mark.parametrize("error", [ExchangeUnavailable(), OutcomeUnknown()], ids=repr)
def test_exchange_out_of_reach_answers_503(exchange: Exchange, error: Exception) -> None:
    exchange.error = error
    answer = create()
    assert (answer.status, answer.body) == (503, {"message": "exchange cannot be reached"})
    assert stored() == []


@pytest.mark.parametrize("name", ["STRATEGY #5", "strategy #5", "  Strategy #5 "])
def test_name_is_unique_but_for_case_and_blanks(name: str) -> None:
    create()
    answer = create(name=name, symbol="ETH/USDT")
    assert answer.status == 422
    assert answer.body == {"errors": [fault("name already exist", "name", "body", value=name.strip())]}
    assert len(stored()) == 1


def test_taken_name_and_unknown_symbol_are_named_together() -> None:
    create()
    answer = create(symbol="XYZ/USDT")
    assert [one["param"] for one in answer.body["errors"]] == ["name", "symbol"]


def test_of_two_requests_at_once_one_gets_the_name(monkeypatch: pytest.MonkeyPatch) -> None:
    create()
    # Both have read before either writes.
    monkeypatch.setattr(UniqueName, "find", lambda *_: None)
    answer = create()
    assert answer.status == 422
    assert answer.body == {"errors": [fault("name already exist", "name", "body", value="STRATEGY #5")]}
    assert len(stored()) == 1


def test_other_names_are_free() -> None:
    create()
    assert create(name="STRATEGY #6").status == 200
    assert len(stored()) == 2


def test_log_holds_no_secret(log: io.StringIO) -> None:
    strategy_id = create().body["id"]
    create(name="")
    assert strategy_id in log.getvalue()
    assert SECRET not in log.getvalue()
