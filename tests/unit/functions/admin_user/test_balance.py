"""Get Exchange Total Balance: all keys of a user, live, with what is on record where a key cannot be read."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest

from functions.admin_user.app import lambda_handler
from shared.errors import ExchangeAuthorizationFailed, ExchangeError, ExchangeUnavailable
from shared.exchange import account_queries
from shared.models.exchange_key import ApiKeyStatus, ExchangeKey, TradeType
from tests.unit.admin_requests import sample, send
from tests.unit.records import STARTED_AT, a_balance, a_user, after, an_exchange_key, id_of

EVENT = "admin_user/get_balance"


class Exchange:
    """What each key holds, or why it cannot be read; and the markets' prices."""

    def __init__(self) -> None:
        self.held: dict[str, dict[str, str] | ExchangeError] = {}
        self.prices: dict[str, str] | ExchangeError = {}
        self.spot_prices: dict[str, str] | ExchangeError = {}
        self.prices_asked = 0

    def balances(self, keys: Sequence[ExchangeKey]) -> list[Any]:
        return [self._balance(self.held[key.id]) for key in keys]

    def _balance(self, held: dict[str, str] | ExchangeError) -> Any:
        if isinstance(held, ExchangeError):
            return held
        return {asset: {"free": 0, "used": 0, "total": Decimal(total)} for asset, total in held.items()}

    def tickers(self, trade_type: TradeType) -> dict[str, Decimal]:
        self.prices_asked += 1
        prices = self.prices if trade_type is TradeType.FUTURES else self.spot_prices
        if isinstance(prices, ExchangeError):
            raise prices
        return {symbol: Decimal(price) for symbol, price in prices.items()}


@pytest.fixture(autouse=True)
def exchange(admin_api: object, monkeypatch: pytest.MonkeyPatch) -> Exchange:
    exchange = Exchange()
    monkeypatch.setattr(account_queries, "balances", exchange.balances)
    monkeypatch.setattr(account_queries, "prices", exchange.tickers)
    a_user()
    return exchange


def key(name: str, *, minutes: int = 0, **values: Any) -> str:
    an_exchange_key(id_of(name), at=after(minutes), **values)
    return id_of(name)


def test_total_reads_as_documented(exchange: Exchange) -> None:
    exchange.held = {key("one"): {"USDT": "12345.12", "BNB": "0"}}
    answer = send(lambda_handler, sample(EVENT))
    assert answer.status == 200
    assert answer.text == '{"USD":12345.12}'
    assert exchange.prices_asked == 0


def test_user_without_keys_has_nothing() -> None:
    assert send(lambda_handler, sample(EVENT)).text == '{"USD":0}'


def test_all_keys_count_each_asset_at_its_price(exchange: Exchange) -> None:
    exchange.held = {
        key("futures"): {"USDT": "100", "BTC": "0.5"},
        key("spot", minutes=1, trade_type=TradeType.SPOT): {"USDC": "1.5", "ETH": "2", "XYZ": "9"},
        key("off", minutes=2, active=False): {"USDT": "0.25"},
    }
    exchange.prices = {"BTC/USDT": "20000"}
    exchange.spot_prices = {"ETH/USDT": "1500.125"}
    assert send(lambda_handler, sample(EVENT)).body == {"USD": Decimal("13102.00"), "unpriced": ["XYZ"]}
    assert exchange.prices_asked == 2


@pytest.mark.parametrize(
    ("held", "answer"),
    [
        ({"BNFCR": "5000"}, {"USD": 5000}),
        ({"USDT": "100", "LDUSDT": "8000", "RWUSD": "1000", "USDE": "500"}, {"USD": Decimal("9599.5")}),
        ({"USDT": "100", "NEW": "3", "LDNEW": "1", "GONE": "0"}, {"USD": 100, "unpriced": ["LDNEW", "NEW"]}),
    ],
)
def test_asset_of_a_futures_wallet_counts_or_is_named(
    exchange: Exchange, held: dict[str, str], answer: dict[str, Any]
) -> None:
    exchange.held = {key("futures"): held}
    exchange.prices = {"BTC/USDT": "20000"}
    exchange.spot_prices = {"USDE/USDT": "0.999"}
    assert send(lambda_handler, sample(EVENT)).body == answer


def test_key_counts_with_its_last_balance_while_a_market_that_it_needs_is_out_of_reach(exchange: Exchange) -> None:
    exchange.held = {key("futures"): {"USDT": "100", "USDE": "500"}}
    exchange.spot_prices = ExchangeUnavailable()
    a_balance(id_of("futures"), "599", at=STARTED_AT, unpriced=["XYZ"])
    assert send(lambda_handler, sample(EVENT)).body == {
        "USD": 599,
        "stale": [id_of("futures")],
        "unpriced": ["XYZ"],
    }


def test_key_that_cannot_be_read_counts_with_its_last_balance_and_is_named(exchange: Exchange) -> None:
    exchange.held = {
        key("good"): {"USDT": "100"},
        key("refused", minutes=1): ExchangeAuthorizationFailed(code=-2015),
        key("slow", minutes=2): ExchangeUnavailable(),
        key("never recorded", minutes=3): ExchangeUnavailable(),
    }
    a_balance(id_of("refused"), "10.5", at=STARTED_AT)
    a_balance(id_of("slow"), "3", at=STARTED_AT)
    a_balance(id_of("good"), "7777", at=STARTED_AT)

    answer = send(lambda_handler, sample(EVENT))

    assert answer.status == 200
    assert answer.body == {"USD": Decimal("113.5"), "stale": [id_of(n) for n in ("refused", "slow", "never recorded")]}
    statuses = {name: ExchangeKey.get(id_of(name)) for name in ("good", "refused", "slow")}
    assert {name: (one.api_key_status, one.active) for name, one in statuses.items()} == {
        "good": (ApiKeyStatus.AUTHORIZED, True),
        "refused": (ApiKeyStatus.UNAUTHORIZED, False),
        "slow": (ApiKeyStatus.FAILED, True),
    }


def test_refused_key_that_is_read_again_is_in_use_again(exchange: Exchange) -> None:
    name = key("one")
    exchange.held = {name: ExchangeAuthorizationFailed()}
    send(lambda_handler, sample(EVENT))
    exchange.held = {name: {"USDT": "1"}}
    assert send(lambda_handler, sample(EVENT)).text == '{"USD":1}'
    assert ExchangeKey.get(name).active is True


def test_keys_whose_assets_cannot_be_priced_are_stale_and_keep_their_status(exchange: Exchange) -> None:
    exchange.held = {key("bitcoin"): {"BTC": "1"}, key("dollars", minutes=1): {"USDT": "5"}}
    exchange.prices = ExchangeUnavailable()
    a_balance(id_of("bitcoin"), "19000", at=STARTED_AT)
    assert send(lambda_handler, sample(EVENT)).body == {"USD": 19005, "stale": [id_of("bitcoin")]}
    assert ExchangeKey.get(id_of("bitcoin")).api_key_status is ApiKeyStatus.AUTHORIZED


def test_keys_of_others_count_nothing(exchange: Exchange) -> None:
    exchange.held = {key("mine"): {"USDT": "5"}}
    key("theirs", user_id=id_of("another"))
    assert send(lambda_handler, sample(EVENT)).body == {"USD": 5}


def test_unknown_user_is_not_found() -> None:
    event = sample(EVENT, path=("a12565e5-567b-432a-93b2-6349653010d9", id_of("nobody")))
    answer = send(lambda_handler, event)
    assert (answer.status, answer.body) == (404, {"message": "route not found"})
