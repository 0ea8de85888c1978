"""Conditional orders: what is accepted, what is refused, and what triggers them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ccxt
import pytest

from tests.integration.paper_exchange.trader import BTC, ETH, Trader, refused


def test_conditional_orders_live_apart_from_the_regular_ones(trader: Trader) -> None:
    trader.market("buy", 0.1)
    stop = trader.stop("sell", 19_500)
    assert (stop["status"], stop["triggerPrice"], stop["info"]["closePosition"]) == ("open", 19_500, True)
    assert trader.open_regular() == []
    assert [order["id"] for order in trader.open_algos()] == [stop["id"]]
    with refused(-2013, ccxt.OrderNotFound):
        trader.futures.fetch_order(stop["id"], BTC)
    shown = trader.snapshot()["openOrders"]
    assert [order["orderType"] for order in shown] == ["STOP_MARKET"]


def test_stop_closes_the_whole_position_at_the_price_that_gapped(trader: Trader) -> None:
    trader.market("buy", 0.1)
    stop = trader.stop("sell", 19_500, clientAlgoId="the-stop")
    trader.market("buy", 0.2)
    trader.exchange.move_price("19500.1")
    assert trader.held() == "0.3"
    trader.exchange.move_price("19000")
    assert trader.held() == "0"
    triggered = trader.algo(stop["id"])
    assert (triggered["status"], triggered["filled"], triggered["info"]["algoStatus"]) == ("closed", 0, "FINISHED")
    order = trader.futures.fetch_order(triggered["info"]["actualOrderId"], BTC)
    assert (order["status"], order["filled"], order["average"]) == ("closed", 0.3, 19_000)
    assert order["clientOrderId"] == "the-stop"
    assert trader.open_algos() == []


def test_short_position_is_stopped_from_below(trader: Trader) -> None:
    trader.market("sell", 0.1)
    trader.stop("buy", 20_500)
    trader.exchange.move_price("20500")
    assert trader.held() == "0"
    assert trader.snapshot()["trades"][-1]["price"] == "20500.00"


def test_take_profit_market_closes_on_the_winning_side(trader: Trader) -> None:
    trader.market("buy", 0.1)
    trader.conditional("TAKE_PROFIT_MARKET", "sell", None, None, triggerPrice=21_000, closePosition=True)  # type: ignore[arg-type]
    trader.exchange.move_price("20999.9")
    assert trader.held() == "0.1"
    trader.exchange.move_price("21000")
    assert trader.held() == "0"


def test_limit_stop_fills_within_its_limit(trader: Trader) -> None:
    trader.market("buy", 0.1)
    stop = trader.conditional("STOP", "sell", 0.1, 19_402.5, triggerPrice=19_500, reduceOnly=True)
    trader.exchange.move_price("19450")
    assert trader.held() == "0"
    actual = trader.futures.fetch_order(trader.algo(stop["id"])["info"]["actualOrderId"], BTC)
    assert (actual["type"], actual["average"], actual["price"]) == ("limit", 19_450, 19_402.5)


def test_gap_leaves_a_limit_stop_behind_until_the_price_comes_back(trader: Trader) -> None:
    trader.market("buy", 0.1)
    stop = trader.conditional("STOP", "sell", 0.1, 19_402.5, triggerPrice=19_500, reduceOnly=True)
    trader.exchange.move_price("19000")
    assert trader.held() == "0.1"
    assert trader.algo(stop["id"])["info"]["algoStatus"] == "TRIGGERED"
    assert [order["price"] for order in trader.open_regular()] == [19_402.5]
    trader.exchange.move_price("19402.5")
    assert trader.held() == "0"
    assert trader.algo(stop["id"])["info"]["algoStatus"] == "FINISHED"


def test_backstop_closes_what_the_limit_stop_left(trader: Trader) -> None:
    trader.market("buy", 0.1)
    trader.conditional("STOP", "sell", 0.1, 19_402.5, triggerPrice=19_500, reduceOnly=True)
    trader.stop("sell", 19_305)
    trader.exchange.move_price("19000")
    assert trader.held() == "0"
    assert [order["price"] for order in trader.open_regular()] == [19_402.5]
    trader.exchange.move_price("20000")
    assert trader.held() == "0"


def test_trailing_stop_follows_the_best_price_once_activated(trader: Trader) -> None:
    trader.market("buy", 0.1)
    trailing = trader.conditional(
        "TRAILING_STOP_MARKET", "sell", 0.1, None, trailingPercent=1, activationPrice=20_400, reduceOnly=True
    )
    assert (trailing["info"]["activatePrice"], trailing["info"]["callbackRate"]) == ("20400.00", "1")
    trader.exchange.move_price("19000")  # not active yet
    assert trader.held() == "0.1"
    trader.exchange.move_price("20400")
    trader.exchange.move_price("21000")
    trader.exchange.move_price("20790.1")
    assert trader.held() == "0.1"
    trader.exchange.move_price("20790")  # 21000 less 1 %
    assert trader.held() == "0"
    assert trader.algo(trailing["id"])["status"] == "closed"


def test_trailing_stop_of_a_short_follows_downwards(trader: Trader) -> None:
    trader.market("sell", 0.1)
    trader.conditional(
        "TRAILING_STOP_MARKET", "buy", 0.1, None, trailingPercent=0.5, activationPrice=19_800, reduceOnly=True
    )
    for price in ("19800", "19000", "19094.9"):
        trader.exchange.move_price(price)
        assert trader.held() == "-0.1"
    trader.exchange.move_price("19095")
    assert trader.held() == "0"


def test_trailing_stop_without_activation_price_is_active_at_once(trader: Trader) -> None:
    trader.market("buy", 0.1)
    trader.conditional("TRAILING_STOP_MARKET", "sell", 0.1, None, trailingPercent=1, reduceOnly=True)
    trader.exchange.move_price("19800")
    assert trader.held() == "0"


def test_mark_price_stop_ignores_the_last_price(trader: Trader) -> None:
    trader.market("buy", 0.1)
    trader.stop("sell", 19_500, workingType="MARK_PRICE")
    trader.exchange.move_price("19400", markPrice="19900")
    assert trader.held() == "0.1"
    trader.exchange.move_price("19600", markPrice="19500")
    assert trader.held() == "0"


def test_reduce_only_stop_sells_no_more_than_is_held(trader: Trader) -> None:
    trader.market("buy", 0.1)
    trader.stop("sell", 19_500, 0.5, reduceOnly=True)
    trader.exchange.move_price("19500")
    assert trader.held() == "0"


def test_reduce_only_stop_without_a_position_is_rejected_at_its_trigger(trader: Trader) -> None:
    stop = trader.stop("sell", 19_500, 0.1, reduceOnly=True)
    trader.exchange.move_price("19500")
    assert trader.held() == "0"
    assert trader.algo(stop["id"])["status"] == "rejected"


def test_opening_stop_without_margin_is_rejected_at_its_trigger(trader: Trader) -> None:
    stop = trader.stop("buy", 20_500, 100)
    trader.exchange.move_price("20500")
    assert trader.held() == "0"
    assert (trader.algo(stop["id"])["status"], trader.snapshot()["trades"]) == ("rejected", [])


def test_stop_that_opens_a_position_needs_no_reduce_only(trader: Trader) -> None:
    trader.stop("buy", 20_500, 0.1)
    trader.exchange.move_price("20600")
    assert trader.snapshot()["positions"][0] == {"symbol": "BTCUSDT", "amount": "0.1", "entryPrice": "20600"}


def test_closing_stop_expires_with_its_position(trader: Trader) -> None:
    trader.market("buy", 0.1)
    stop = trader.stop("sell", 19_500)
    trader.market("sell", 0.04, reduceOnly=True)
    assert len(trader.open_algos()) == 1
    trader.market("sell", 0.06, reduceOnly=True)
    assert trader.open_algos() == []
    assert trader.algo(stop["id"])["status"] == "expired"


def test_closing_stop_outlives_its_position_when_switched(trader: Trader) -> None:
    trader.exchange.set(expire_close_position_when_flat=False)
    trader.market("buy", 0.1)
    stop = trader.stop("sell", 19_500)
    trader.market("sell", 0.1, reduceOnly=True)
    assert [order["id"] for order in trader.open_algos()] == [stop["id"]]
    trader.exchange.move_price("19000")
    assert trader.algo(stop["id"])["status"] == "expired"
    assert trader.held() == "0"


def test_closing_stop_while_flat_is_refused_only_when_switched(trader: Trader) -> None:
    early = trader.stop("sell", 19_500)
    trader.market("buy", 0.1)
    assert [order["id"] for order in trader.open_algos()] == [early["id"]]
    trader.market("sell", 0.1, reduceOnly=True)
    trader.exchange.set(refuse_close_position_when_flat=True)
    with refused(-4509):
        trader.stop("sell", 19_500)
    trader.market("buy", 0.1)
    with refused(-4509):
        trader.stop("buy", 20_500)  # closes shorts, and there is none
    assert trader.stop("sell", 19_500)["status"] == "open"


def test_second_closing_stop_on_a_side_is_refused(trader: Trader) -> None:
    trader.market("buy", 0.1)
    first = trader.stop("sell", 19_500)
    with refused(-4130):
        trader.stop("sell", 19_400)
    target = trader.conditional("TAKE_PROFIT_MARKET", "sell", None, None, triggerPrice=21_000, closePosition=True)  # type: ignore[arg-type]
    assert target["status"] == "open"
    trader.futures.cancel_order(first["id"], BTC, {"trigger": True})
    assert trader.stop("sell", 19_400)["status"] == "open"


def test_client_algo_id_finds_and_cancels(trader: Trader) -> None:
    trader.market("buy", 0.1)
    trader.stop("sell", 19_500, clientAlgoId="leg-1")
    found = trader.futures.fetch_order(None, BTC, {"trigger": True, "clientAlgoId": "leg-1"})
    assert (found["clientOrderId"], found["status"]) == ("leg-1", "open")
    with refused(-4116):
        trader.stop("sell", 19_400, 0.1, clientAlgoId="leg-1", reduceOnly=True)
    cancelled = trader.futures.cancel_order(None, BTC, {"trigger": True, "clientAlgoId": "leg-1"})
    assert cancelled["info"]["msg"] == "success"
    assert trader.futures.fetch_order(None, BTC, {"trigger": True, "clientAlgoId": "leg-1"})["status"] == "canceled"
    with refused(-2011, ccxt.OrderNotFound):
        trader.futures.cancel_order(None, BTC, {"trigger": True, "clientAlgoId": "leg-1"})
    with refused(-2013, ccxt.OrderNotFound):
        trader.futures.fetch_order(None, BTC, {"trigger": True, "clientAlgoId": "never-sent"})


def test_history_of_conditional_orders_lists_every_end(trader: Trader) -> None:
    trader.market("buy", 0.1)
    cancelled = trader.stop("sell", 19_000, 0.1, reduceOnly=True)
    trader.futures.cancel_order(cancelled["id"], BTC, {"trigger": True})
    trader.stop("sell", 19_500)
    trader.exchange.move_price("19500")
    orders = trader.futures.fetch_orders(BTC, params={"trigger": True})
    assert [order["status"] for order in orders] == ["canceled", "closed"]
    assert trader.futures.fetch_orders(ETH, params={"trigger": True}) == []


RAW_ALGO = {
    "algoType": "CONDITIONAL",
    "symbol": "BTCUSDT",
    "side": "SELL",
    "type": "STOP_MARKET",
    "triggerPrice": "19500",
}
TRAILING = {"type": "TRAILING_STOP_MARKET", "triggerPrice": None, "quantity": "0.1", "callbackRate": "1"}


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"quantity": None}, -1102),
        ({"quantity": "0.1", "algoType": None}, -1102),
        ({"quantity": "0.1", "algoType": "VP"}, -1130),
        ({"quantity": "0.1", "triggerPrice": None}, -1102),
        ({"quantity": "0.1", "type": "LIMIT"}, -1116),
        ({"quantity": "0.1", "type": "STOP"}, -1102),
        ({"quantity": "0.1", "type": "STOP", "price": "19450.05"}, -4014),
        ({"quantity": "0.1", "symbol": "BTCEUR"}, -1121),
        ({"quantity": "0.1", "triggerPrice": "0"}, -4006),
        ({"quantity": "0.1", "triggerPrice": "900000"}, -4007),
        ({"quantity": "0.1", "triggerPrice": "19500.05"}, -4014),
        ({"quantity": "0.1", "triggerPrice": "20000"}, -2021),
        ({"quantity": "0.1", "triggerPrice": "20500"}, -2021),
        ({"quantity": "0.1", "side": "BUY"}, -2021),
        ({"quantity": "0.1", "type": "TAKE_PROFIT_MARKET"}, -2021),
        ({"quantity": "0.1", "side": "BUY", "type": "TAKE_PROFIT_MARKET", "triggerPrice": "20500"}, -2021),
        ({"quantity": "0"}, -4003),
        ({"quantity": "0.0005"}, -1111),
        ({"quantity": "121"}, -4005),
        ({"quantity": "0.005"}, -4164),
        ({"quantity": "0.1", "clientAlgoId": "a" * 37}, -4015),
        ({"quantity": "0.1", "positionSide": "LONG"}, -4061),
        ({"quantity": "0.1", "closePosition": "true"}, -4137),
        ({"closePosition": "true", "reduceOnly": "true"}, -1106),
        ({"closePosition": "true", "type": "STOP", "price": "19400"}, -4136),
        ({**TRAILING, "callbackRate": None}, -1102),
        ({**TRAILING, "callbackRate": "0.09"}, -2007),
        ({**TRAILING, "callbackRate": "10.1"}, -2007),
        ({**TRAILING, "activatePrice": "19900"}, -2021),
        ({**TRAILING, "side": "BUY", "activatePrice": "20100"}, -2021),
        ({**TRAILING, "closePosition": "true"}, -4136),
    ],
)
def test_conditional_order_is_refused_with_the_exchanges_code(
    trader: Trader, changed: dict[str, Any], code: int
) -> None:
    request = {name: value for name, value in {**RAW_ALGO, **changed}.items() if value is not None}
    with refused(code):
        trader.futures.fapiPrivatePostAlgoOrder(request)
    assert trader.snapshot()["orders"] == []


@pytest.mark.parametrize(
    "changed",
    [
        {"closePosition": "true"},
        {"quantity": "0.001", "reduceOnly": "true"},
        {"quantity": "0.1", "triggerPrice": "19999.9"},
        {"quantity": "0.1", "type": "STOP", "price": "19400"},
        {"quantity": "0.1", "type": "TAKE_PROFIT", "triggerPrice": "20001", "price": "20001"},
        {**TRAILING, "callbackRate": "0.1"},
        {**TRAILING, "callbackRate": "10"},
        {**TRAILING, "activatePrice": "20000.1"},
        {**TRAILING, "side": "BUY", "activatePrice": "19999.9"},
    ],
)
def test_conditional_order_at_the_edge_of_the_rules_is_accepted(trader: Trader, changed: dict[str, Any]) -> None:
    request = {name: value for name, value in {**RAW_ALGO, **changed}.items() if value is not None}
    assert trader.futures.fapiPrivatePostAlgoOrder(request)["algoStatus"] == "NEW"


def test_too_many_conditional_orders_are_refused(new_trader: Callable[..., Trader]) -> None:
    trader = new_trader()
    for number in range(10):
        trader.stop("sell", 19_500 - number, 0.01)
    with refused(-4045):
        trader.stop("sell", 19_000, 0.01)
