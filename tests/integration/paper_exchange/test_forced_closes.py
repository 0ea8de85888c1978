"""What the exchange does to a position by itself: funding at its hours, liquidation with its fee, deleveraging."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.integration.paper_exchange.exchange_process import ControlRefusedError, ExchangeProcess
from tests.integration.paper_exchange.trader import Trader

HOUR_MS = 3_600_000


def incomes(trader: Trader, kind: str) -> list[tuple[str, str]]:
    rows = trader.futures.fapiPrivateGetIncome({"incomeType": kind})
    return [(row["symbol"], row["income"]) for row in rows]


def test_funding_is_booked_at_its_hours(exchange: ExchangeProcess, new_trader: Callable[..., Trader]) -> None:
    long, short = new_trader(), new_trader()
    long.market("buy", 0.1)
    short.market("sell", 0.1)
    next_ms = exchange.control("PUT", "/paper/funding/BTCUSDT", {"rate": "0.0001", "intervalHours": 4})[
        "nextFundingTime"
    ]
    assert next_ms % (4 * HOUR_MS) == 0
    index = long.futures.fapiPublicGetPremiumIndex({"symbol": "BTCUSDT"})
    assert (int(index["nextFundingTime"]), index["lastFundingRate"]) == (next_ms, "0.00010000")
    assert incomes(long, "FUNDING_FEE") == []
    exchange.control("PUT", "/paper/prices/BTCUSDT", {"markPrice": "20100"})
    # Just past the second payment from now.
    exchange.set(clock_offset_ms=next_ms + 4 * HOUR_MS + 60_000 - int(time.time() * 1000))
    exchange.control("GET", "/paper/health")
    exchange.set(clock_offset_ms=0)
    rows = long.futures.fapiPrivateGetIncome({"incomeType": "FUNDING_FEE"})
    assert [(int(row["time"]), row["income"]) for row in rows] == [
        (next_ms, "-0.20100000"),
        (next_ms + 4 * HOUR_MS, "-0.20100000"),
    ]
    assert incomes(short, "FUNDING_FEE") == [("BTCUSDT", "0.20100000")] * 2


def test_dividend_of_a_stock_is_an_income_of_its_own_type(
    exchange: ExchangeProcess, new_trader: Callable[..., Trader]
) -> None:
    trader = new_trader()
    trader.market("buy", 0.1)

    exchange.control("POST", "/paper/funding", {"symbol": "BTCUSDT", "rate": "0.0002", "special": True})

    assert incomes(trader, "SPECIAL_FUNDING_FEE") == [("BTCUSDT", "-0.40000000")]
    assert incomes(trader, "FUNDING_FEE") == []


@pytest.mark.parametrize("body", [{"rate": "0.0001", "intervalHours": 3}, {"rate": "high"}, {}])
def test_unfit_funding_is_refused(exchange: ExchangeProcess, body: dict[str, Any]) -> None:
    with pytest.raises(ControlRefusedError, match=r"^400 "):
        exchange.control("PUT", "/paper/funding/BTCUSDT", body)


def test_liquidation_pays_its_fee_into_the_insurance_fund(
    exchange: ExchangeProcess, new_trader: Callable[..., Trader]
) -> None:
    trader = new_trader("2008")
    trader.change(leverage=10)
    trader.market("buy", 1)
    # The mark price alone liquidates: margin balance 2000 - 1950 is below the maintenance margin.
    exchange.control("PUT", "/paper/prices/BTCUSDT", {"markPrice": "18050"})
    assert trader.held() == "0"
    closing = trader.snapshot()["orders"][-1]
    assert closing["clientOrderId"].startswith("autoclose-")
    assert (closing["origType"], closing["avgPrice"]) == ("LIQUIDATION", "18050.00000")
    # 2008 - 8 - 1950 - 7.22 leave 42.78, less than 1.25 % of 18050.
    assert incomes(trader, "INSURANCE_CLEAR") == [("BTCUSDT", "-42.78000000")]
    assert trader.wallet() == "0.00000000"
    assert sum(float(trade["commission"]) for trade in trader.snapshot()["trades"]) == pytest.approx(15.22)


def test_deleveraging_closes_a_position_by_an_order_of_the_exchange(exchange: ExchangeProcess, trader: Trader) -> None:
    trader.market("sell", 0.1)
    trader.stop("buy", 20_500)
    exchange.control("PUT", "/paper/prices/BTCUSDT", {"markPrice": "19900"})
    exchange.control("POST", f"/paper/deleveraging/{trader.api_key}", {"symbol": "BTCUSDT"})
    assert trader.held() == "0"
    assert trader.open_algos() == []
    orders = trader.futures.fapiPrivateGetAllOrders({"symbol": "BTCUSDT"})
    assert (orders[-1]["clientOrderId"], orders[-1]["side"], orders[-1]["avgPrice"]) == (
        "adl_autoclose",
        "BUY",
        "19900.00000",
    )
    with pytest.raises(ControlRefusedError, match=r"^404 "):
        exchange.control("POST", f"/paper/deleveraging/{trader.api_key}", {"symbol": "BTCUSDT"})
