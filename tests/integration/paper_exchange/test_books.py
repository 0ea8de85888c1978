"""Books with levels: orders eat them, time refills them, and accounts meet."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.integration.paper_exchange.exchange_process import ControlRefusedError, ExchangeProcess
from tests.integration.paper_exchange.trader import Trader, refused

# Ticks of 0.1 on both sides of 20000: asks 20000.1 and 20001, bids 19999.9 and 19999.
LEVELS = [[1, "0.5"], [10, "1"]]
NEVER_MS = 3_600_000


@pytest.fixture
def thin(exchange: ExchangeProcess) -> ExchangeProcess:
    exchange.control("PUT", "/paper/books/BTCUSDT", {"levels": LEVELS, "refillMs": NEVER_MS})
    return exchange


def place(trader: Trader, **changed: Any) -> Any:
    request = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.1", **changed}
    return trader.futures.fapiPrivatePostOrder({**request, "newOrderRespType": "RESULT"})


def best(trader: Trader) -> tuple[str, str, str, str]:
    row = trader.futures.fapiPublicGetTickerBookTicker({"symbol": "BTCUSDT"})
    return row["bidPrice"], row["bidQty"], row["askPrice"], row["askQty"]


def prices(trader: Trader) -> list[tuple[str, str, bool]]:
    return [(trade["price"], trade["qty"], trade["maker"]) for trade in trader.snapshot()["trades"]]


def test_market_order_eats_the_levels_and_fills_at_their_average(thin: ExchangeProcess, trader: Trader) -> None:
    assert best(trader) == ("19999.90", "0.500", "20000.10", "0.500")
    order = trader.market("buy", 1)
    assert (order["status"], order["filled"], order["average"]) == ("closed", 1, 20_000.55)
    assert prices(trader) == [("20000.10", "0.500", False), ("20001.00", "0.500", False)]
    assert best(trader) == ("19999.90", "0.500", "20001.00", "0.500")
    [position] = trader.futures.fetch_positions()
    assert position["entryPrice"] == 20_000.55


def test_market_order_ends_where_the_book_ends(thin: ExchangeProcess, trader: Trader) -> None:
    order = trader.market("sell", 2)
    assert (order["status"], order["filled"], order["amount"]) == ("expired", 1.5, 2)
    assert trader.market("sell", 0.1)["status"] == "expired"
    assert trader.held() == "-1.5"
    assert best(trader)[:2] == ("0.00", "0.000")


@pytest.mark.parametrize(
    ("time_in_force", "price", "filled", "status"),
    [
        ("IOC", "20000", "0.000", "EXPIRED"),
        ("IOC", "20000.1", "0.500", "EXPIRED"),
        ("IOC", "20001", "1.000", "FILLED"),
        ("GTC", "20000.1", "0.500", "PARTIALLY_FILLED"),
        ("FOK", "20001", "1.000", "FILLED"),
        ("GTX", "20000", "0.000", "NEW"),
    ],
)
@pytest.mark.usefixtures("thin")
def test_limit_bounds_what_an_order_eats(
    trader: Trader, time_in_force: str, price: str, filled: str, status: str
) -> None:
    answer = place(trader, timeInForce=time_in_force, price=price, quantity="1")
    assert (answer["executedQty"], answer["status"]) == (filled, status)
    assert all(float(paid) <= float(price) for paid, _, _ in prices(trader))


def test_order_that_must_fill_whole_or_not_at_all_is_refused(thin: ExchangeProcess, trader: Trader) -> None:
    with refused(-5021):
        place(trader, timeInForce="FOK", price="20000.1", quantity="1")
    with refused(-5022):
        place(trader, timeInForce="GTX", price="20000.1")
    assert best(trader)[3] == "0.500"
    assert trader.snapshot()["orders"] == []


def test_eaten_level_is_full_again_after_a_while(exchange: ExchangeProcess, trader: Trader) -> None:
    exchange.control("PUT", "/paper/books/BTCUSDT", {"levels": [[1, "0.5"]], "refillMs": 60_000})
    trader.market("buy", 0.4)
    assert best(trader)[3] == "0.100"
    assert trader.market("buy", 0.4)["filled"] == 0.1
    exchange.set(clock_offset_ms=60_000)
    assert best(trader)[3] == "0.500"


def test_rest_of_an_order_fills_when_the_level_it_ate_is_there_again(exchange: ExchangeProcess, trader: Trader) -> None:
    exchange.control("PUT", "/paper/books/BTCUSDT", {"levels": [[1, "0.5"]], "refillMs": 60_000})
    place(trader, price="20000.5", quantity="0.7")
    assert trader.held() == "0.5"
    exchange.set(clock_offset_ms=60_000)
    assert trader.held() == "0.7"
    assert prices(trader) == [("20000.10", "0.500", False), ("20000.50", "0.200", True)]


def test_book_is_full_where_the_price_has_moved_to(thin: ExchangeProcess, trader: Trader) -> None:
    trader.market("buy", 1.5)
    thin.move_price("20100")
    assert best(trader) == ("20099.90", "0.500", "20100.10", "0.500")


def test_resting_order_of_one_account_fills_by_the_order_of_another(
    thin: ExchangeProcess, new_trader: Callable[..., Trader]
) -> None:
    maker, taker = new_trader(), new_trader()
    place(maker, price="20000", quantity="0.3")
    assert best(taker)[:2] == ("20000.00", "0.300")
    order = taker.market("sell", 0.5)
    assert (order["status"], order["filled"]) == ("closed", 0.5)
    assert prices(taker) == [("20000.00", "0.300", False), ("19999.90", "0.200", False)]
    assert prices(maker) == [("20000.00", "0.300", True)]
    assert (maker.held(), taker.held()) == ("0.3", "-0.5")
    assert maker.wallet() == "9998.80000000"  # 0.3 x 20000 x 0.02 %


def test_resting_order_is_met_in_the_order_of_prices(thin: ExchangeProcess, new_trader: Callable[..., Trader]) -> None:
    maker, taker = new_trader(), new_trader()
    place(maker, price="19999.5", quantity="0.3")
    taker.market("sell", 0.7)
    assert [price for price, _, _ in prices(taker)] == ["19999.90", "19999.50"]
    [order] = maker.open_regular()
    assert (order["filled"], order["remaining"], order["info"]["status"]) == (0.2, 0.1, "PARTIALLY_FILLED")


def test_account_never_trades_with_itself(thin: ExchangeProcess, trader: Trader) -> None:
    own = place(trader, price="20000", quantity="0.3")
    trader.market("sell", 0.4)
    assert prices(trader) == [("19999.90", "0.400", False)]
    fetched = trader.futures.fapiPrivateGetOrder({"symbol": "BTCUSDT", "orderId": own["orderId"]})
    assert fetched["status"] == "EXPIRED_IN_MATCH"
    assert trader.open_regular() == []


def test_reduce_only_order_of_another_account_fills_only_its_position(
    thin: ExchangeProcess, new_trader: Callable[..., Trader]
) -> None:
    maker, taker = new_trader(), new_trader()
    maker.market("buy", 0.1)
    place(maker, side="SELL", price="20000", quantity="0.3", reduceOnly="true")
    taker.market("buy", 0.2)
    assert (maker.held(), taker.held()) == ("0", "0.2")
    assert maker.open_regular() == []


def test_triggered_stop_eats_the_book(thin: ExchangeProcess, trader: Trader) -> None:
    trader.market("buy", 1)
    stop = trader.stop("sell", 19_900)
    thin.move_price("19900")
    assert trader.held() == "0"
    assert trader.algo(stop["id"])["info"]["actualPrice"] == "19899.45000"  # half at 19899.9, half at 19899


def test_price_move_fills_nothing_between_the_best_prices(thin: ExchangeProcess, trader: Trader) -> None:
    thin.control("PUT", "/paper/books/BTCUSDT", {"levels": [[10, "1"]]})
    place(trader, price="20000.5")
    thin.control("PUT", "/paper/prices/BTCUSDT", {"markPrice": "19990"})
    assert trader.held() == "0"
    thin.move_price("20000.4")
    assert trader.held() == "0.1"


def test_depth_shows_levels_and_resting_orders(thin: ExchangeProcess, trader: Trader) -> None:
    place(trader, price="19999.9", quantity="0.1")
    place(trader, price="19999.5", quantity="0.1")
    book = trader.futures.fapiPublicGetDepth({"symbol": "BTCUSDT", "limit": 5})
    assert book["bids"] == [["19999.90", "0.600"], ["19999.50", "0.100"], ["19999.00", "1.000"]]
    assert book["asks"] == [["20000.10", "0.500"], ["20001.00", "1.000"]]
    with refused(-4021):
        trader.futures.fapiPublicGetDepth({"symbol": "BTCUSDT", "limit": 7})


@pytest.mark.parametrize(
    ("path", "limit", "weight"),
    [
        ("Depth", 5, 2),
        ("Depth", 100, 5),
        ("Depth", 500, 10),
        ("Depth", None, 10),
        ("Depth", 1000, 20),
        ("Klines", 99, 1),
        ("Klines", 100, 2),
        ("Klines", 500, 5),
        ("Klines", None, 5),
        ("Klines", 1001, 10),
        ("MarkPriceKlines", 99, 1),
        ("MarkPriceKlines", 1500, 10),
    ],
)
def test_weight_follows_the_limit(trader: Trader, path: str, limit: int | None, weight: int) -> None:
    trader.exchange.control("DELETE", "/paper/limits")
    params = {"symbol": "BTCUSDT", "interval": "1m"} if path.endswith("Klines") else {"symbol": "BTCUSDT"}
    getattr(trader.futures, f"fapiPublicGet{path}")({**params, **({} if limit is None else {"limit": limit})})
    assert trader.futures.last_response_headers["X-Mbx-Used-Weight-1m"] == str(weight)


def test_book_is_shown_and_can_be_removed(thin: ExchangeProcess, trader: Trader) -> None:
    assert thin.control("GET", "/paper/books") == {
        "BTCUSDT": {"bids": LEVELS, "asks": LEVELS, "refillMs": NEVER_MS},
    }
    thin.control("DELETE", "/paper/books/BTCUSDT")
    assert trader.market("buy", 3)["average"] == 20_000


@pytest.mark.parametrize(
    "body",
    [
        {"levels": [[-1, "1"]]},
        {"levels": [[1, "0"]]},
        {"levels": [[1, "0.0005"]]},
        {"levels": [1, 2]},
        {"levels": "deep"},
        {"depth": 5},
    ],
)
def test_malformed_book_is_refused(exchange: ExchangeProcess, body: dict[str, Any]) -> None:
    with pytest.raises(ControlRefusedError, match=r"^400 "):
        exchange.control("PUT", "/paper/books/BTCUSDT", body)
    assert exchange.control("GET", "/paper/books") == {}
