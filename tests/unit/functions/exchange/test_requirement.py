"""What a key needs, and the least equity of each active strategy's usual stop."""

from __future__ import annotations

from collections.abc import Collection
from decimal import Decimal

import pytest

from functions.exchange.app import lambda_handler
from shared.errors import ExchangeUnavailable
from shared.exchange import account_queries
from shared.exchange.account_queries import SymbolMarket
from shared.models.egress_lane import EgressLane
from shared.trading.filters import SymbolFilters
from shared.trading.lane_choice import FIRST_LANE
from tests.unit.admin_requests import pages, sample, send
from tests.unit.records import STRATEGY_ID, a_risk_profile, a_strategy, a_trigger, a_user, after, an_exit, id_of

EVENT = "exchange/show_requirement"
FILTERS = SymbolFilters(
    symbol="BTC/USDT",
    tick_size=Decimal("0.1"),
    step_size=Decimal("0.001"),
    min_amount=Decimal("0.001"),
    max_amount=Decimal(1000),
    market_step_size=Decimal("0.001"),
    market_min_amount=Decimal("0.001"),
    market_max_amount=Decimal(120),
    min_notional=Decimal(100),
)

pytestmark = pytest.mark.usefixtures("account_api")


@pytest.fixture(autouse=True)
def asked(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Answer for the exchange, which lists BTC/USDT at 20000; return which symbols it was asked for."""
    found: list[list[str]] = []

    def symbol_markets(symbols: Collection[str]) -> dict[str, SymbolMarket]:
        found.append(list(symbols))
        return {symbol: SymbolMarket(FILTERS, Decimal(20000)) for symbol in symbols if symbol == "BTC/USDT"}

    monkeypatch.setattr(account_queries, "symbol_markets", symbol_markets)
    return found


def test_least_equity_follows_from_the_usual_stop_and_the_profile() -> None:
    a_user()
    a_strategy(name="BTC")
    a_risk_profile(name="MODERATE", percentage=Decimal("1.5"))
    for number, stop in enumerate((19800, 19600, 19800)):
        a_trigger(f"trigger {number}", seq=number, price=Decimal(20000), stop=Decimal(stop))
    an_exit("exit", seq=3)  # has no stop

    (item,) = send(lambda_handler, sample(EVENT)).body["items"]

    assert (item["id"], item["name"], item["symbol"], item["stopPercentage"]) == (STRATEGY_ID, "BTC", "BTC/USDT", 1)
    (profile,) = item["StrategyRiskProfiles"]
    # Reckoned by hand in test_usual_stop.py.
    assert (profile["name"], profile["leastEquity"]) == ("MODERATE", Decimal("92.04"))
    assert profile["leastEquityAtMinimum"] == Decimal("46.02")


def test_strategy_without_an_alert_and_an_unlisted_symbol_have_no_least_equity(asked: list[list[str]]) -> None:
    a_user()
    a_risk_profile()
    a_strategy(id_of("quiet"), name="QUIET", at=after(1))
    a_strategy(id_of("unlisted"), name="UNLISTED", symbol="GONE/USDT", at=after(2))
    a_strategy(id_of("inactive"), name="INACTIVE", active=False, at=after(3))
    a_trigger("trigger", seq=1, strategy_id=id_of("unlisted"), symbol="GONE/USDT")

    quiet, unlisted = send(lambda_handler, sample(EVENT)).body["items"]

    assert (quiet["name"], quiet["stopPercentage"]) == ("QUIET", None)
    assert unlisted["stopPercentage"] > 0
    assert [one["StrategyRiskProfiles"][0]["leastEquity"] for one in (quiet, unlisted)] == [None, None]
    assert asked == [["GONE/USDT"]]


def test_page_asks_for_the_symbols_of_the_page_alone() -> None:
    a_user()
    for number in range(5):
        a_strategy(id_of(f"strategy {number}"), name=f"S{number}", at=after(number))

    found = pages(lambda_handler, sample(EVENT), limit=2)

    assert [[item["name"] for item in page] for page in found] == [["S0", "S1"], ["S2", "S3"], ["S4"]]


def test_requirements_carry_the_codes_of_refusals_and_the_address_of_every_lane_in_use() -> None:
    a_user()
    EgressLane("lane-3", address="203.0.113.3", orders_queue_url="third").save()
    EgressLane("lane-2", address="203.0.113.2").save()  # out of use
    EgressLane("lane-10", orders_queue_url="tenth").save()  # its address is not known
    EgressLane(FIRST_LANE, address="203.0.113.7").save()

    answer = send(lambda_handler, sample(EVENT)).body

    assert {"WITHDRAWALS_ENABLED", "HEDGE_MODE", "IP_UNRESTRICTED", "ACCOUNT_IN_USE"} <= {
        one["code"] for one in answer["requirements"]
    }
    assert answer["addresses"] == ["203.0.113.7", "203.0.113.3"]


def test_exchange_out_of_reach_is_503(monkeypatch: pytest.MonkeyPatch) -> None:
    a_user()
    a_strategy()
    a_trigger("trigger", seq=1)

    def fail(_: Collection[str]) -> dict[str, SymbolMarket]:
        raise ExchangeUnavailable("no connection")

    monkeypatch.setattr(account_queries, "symbol_markets", fail)

    assert send(lambda_handler, sample(EVENT)).status == 503
