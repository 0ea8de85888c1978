"""Regular futures orders: what is accepted, what is refused and with which code, and what a fill does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ccxt
import pytest

from tests.integration.paper_exchange.trader import BTC, ETH, Trader, refused


def test_market_order_fills_at_the_last_price_with_the_taker_fee(trader: Trader) -> None:
    order = trader.market("buy", 0.673)
    assert (order["status"], order["average"], order["filled"]) == ("closed", 20_000, 0.673)
    assert trader.snapshot()["positions"] == [{"symbol": "BTCUSDT", "amount": "0.673", "entryPrice": "20000"}]
    assert trader.wallet() == "9994.61600000"  # 0.673 x 20000 x 0.04 %
    trade = trader.futures.fetch_my_trades(BTC)[0]
    assert (trade["takerOrMaker"], trade["fee"]["cost"], trade["order"]) == ("taker", 5.384, order["id"])


def test_acknowledged_market_order_shows_no_fill_yet(trader: Trader) -> None:
    answer = trader.futures.fapiPrivatePostOrder(
        {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.01", "newOrderRespType": "ACK"}
    )
    assert (answer["status"], answer["executedQty"], answer["avgPrice"]) == ("NEW", "0.000", "0.00")
    fetched = trader.futures.fetch_order(answer["orderId"], BTC)
    assert (fetched["status"], fetched["filled"], fetched["average"]) == ("closed", 0.01, 20_000)


def test_resting_limit_fills_at_its_own_price_with_the_maker_fee(trader: Trader) -> None:
    order = trader.limit("buy", 0.1, 19_500)
    assert order["status"] == "open"
    trader.exchange.move_price("19500.1")
    assert trader.held() == "0"
    trader.exchange.move_price("19000")
    filled = trader.futures.fetch_order(order["id"], BTC)
    assert (filled["status"], filled["average"]) == ("closed", 19_500)
    trade = trader.futures.fetch_my_trades(BTC)[0]
    assert (trade["takerOrMaker"], trade["fee"]["cost"]) == ("maker", 0.39)


def test_crossing_limit_fills_at_once_at_the_better_price(trader: Trader) -> None:
    order = trader.limit("buy", 0.1, 20_500)
    assert (order["status"], order["average"], order["price"]) == ("closed", 20_000, 20_500)


def test_positions_net_and_flip(trader: Trader) -> None:
    trader.market("buy", 0.1)
    trader.exchange.move_price("22000")
    trader.market("buy", 0.1)
    assert trader.snapshot()["positions"] == [{"symbol": "BTCUSDT", "amount": "0.2", "entryPrice": "21000"}]
    trader.exchange.move_price("21500")
    trader.market("sell", 0.3)
    assert trader.snapshot()["positions"] == [{"symbol": "BTCUSDT", "amount": "-0.1", "entryPrice": "21500"}]
    incomes = trader.futures.fapiPrivateGetIncome({"incomeType": "REALIZED_PNL"})
    assert [entry["income"] for entry in incomes] == ["100.00000000"]  # 0.2 x (21500 - 21000)


def test_client_order_id_finds_the_order(trader: Trader) -> None:
    trader.market("buy", 0.01, newClientOrderId="x-cvBPrNm9.entry:1/a_b-c")
    found = trader.futures.fetch_order(None, BTC, {"origClientOrderId": "x-cvBPrNm9.entry:1/a_b-c"})
    assert found["filled"] == 0.01
    with refused(-2013, ccxt.OrderNotFound):
        trader.futures.fetch_order(None, BTC, {"origClientOrderId": "another"})
    with refused(-2013, ccxt.OrderNotFound):
        trader.futures.fetch_order(None, ETH, {"origClientOrderId": "x-cvBPrNm9.entry:1/a_b-c"})


@pytest.mark.parametrize("client_id", ["a" * 37, "with space", "ümlaut", "semi;colon"])
def test_client_order_id_must_fit_the_pattern(trader: Trader, client_id: str) -> None:
    with refused(-4015, ccxt.BadRequest):
        trader.market("buy", 0.01, newClientOrderId=client_id)


def test_client_order_id_is_unique_among_open_orders_only(trader: Trader) -> None:
    resting = trader.limit("buy", 0.01, 19_500, newClientOrderId="twice")
    with refused(-4116, ccxt.InvalidOrder):
        trader.limit("buy", 0.01, 19_400, newClientOrderId="twice")
    trader.futures.cancel_order(resting["id"], BTC)
    again = trader.market("buy", 0.01, newClientOrderId="twice")
    assert trader.market("buy", 0.01, newClientOrderId="twice")["id"] != again["id"]
    assert trader.held() == "0.02"


RAW_ORDER = {
    "symbol": "BTCUSDT",
    "side": "BUY",
    "type": "LIMIT",
    "timeInForce": "GTC",
    "quantity": "0.01",
    "price": "20000",
}


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"symbol": None}, -1102),
        ({"side": None}, -1102),
        ({"type": None}, -1102),
        ({"quantity": None}, -1102),
        ({"price": None}, -1102),
        ({"timeInForce": None}, -1102),
        ({"symbol": "BTCEUR"}, -1121),
        ({"side": "LONG"}, -1117),
        ({"type": "STOP_LOSS"}, -1116),
        ({"timeInForce": "DAY"}, -1115),
        ({"quantity": "much"}, -1100),
        ({"newOrderRespType": "FULL"}, -1136),
        ({"reduceOnly": "perhaps"}, -1130),
        ({"positionSide": "UP"}, -4060),
        ({"quantity": "0"}, -4003),
        ({"quantity": "-1"}, -4003),
        ({"quantity": "0.0005"}, -1111),
        ({"quantity": "1000.001"}, -4005),
        ({"price": "0"}, -4001),
        ({"price": "900000"}, -4002),
        ({"price": "20000.05"}, -4014),
        ({"price": "20000.055"}, -1111),
        ({"price": "21000.1"}, -4016),
        ({"side": "SELL", "price": "18999.9"}, -4024),
        ({"quantity": "0.004"}, -4164),
        ({"closePosition": "true"}, -4136),
        ({"positionSide": "LONG"}, -4061),
        ({"reduceOnly": "true"}, -2022),
        ({"quantity": "100", "price": "19999"}, -2019),
        ({"timeInForce": "GTX", "price": "20000"}, -5022),
        ({"timeInForce": "FOK", "price": "19999"}, -5021),
        ({"type": "MARKET", "price": "20000"}, -1106),
        ({"type": "MARKET", "price": None}, -1106),
        ({"type": "MARKET", "price": None, "timeInForce": None, "quantity": "120.001"}, -4005),
        *(
            ({"type": kind, "stopPrice": "21000"}, -4120)
            for kind in ("STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET", "TRAILING_STOP_MARKET")
        ),
    ],
)
def test_order_is_refused_with_the_exchanges_code(trader: Trader, changed: dict[str, Any], code: int) -> None:
    request = {name: value for name, value in {**RAW_ORDER, **changed}.items() if value is not None}
    with refused(code):
        trader.futures.fapiPrivatePostOrder(request)
    assert trader.snapshot()["orders"] == []
    assert trader.wallet() == "10000.00000000"


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"quantity": "0.005"},
        {"price": "21000", "timeInForce": "IOC"},
        {"side": "SELL", "price": "19000"},
        {"side": "SELL", "price": "30000"},
        {"price": "19000", "timeInForce": "GTX"},
        {"price": "20000", "timeInForce": "FOK"},
        {"newClientOrderId": "a" * 36},
    ],
)
def test_order_at_the_edge_of_the_rules_is_accepted(trader: Trader, changed: dict[str, Any]) -> None:
    assert trader.futures.fapiPrivatePostOrder({**RAW_ORDER, **changed})["status"] in ("NEW", "FILLED")


def test_symbol_with_whole_steps_refuses_fractions(trader: Trader) -> None:
    order = {"symbol": "DOGEUSDT", "side": "BUY", "type": "MARKET"}
    with refused(-1111):
        trader.futures.fapiPrivatePostOrder({**order, "quantity": "100.5"})
    assert trader.futures.fapiPrivatePostOrder({**order, "quantity": "100"})["orderId"]


def test_immediate_or_cancel_that_does_not_cross_expires(trader: Trader) -> None:
    order = trader.limit("buy", 0.01, 19_900, timeInForce="IOC")
    assert (order["status"], order["filled"]) == ("expired", 0)
    assert trader.open_regular() == []


def test_market_order_away_from_the_mark_price_is_refused(trader: Trader) -> None:
    trader.exchange.move_price("21001", markPrice="20000")
    with refused(-4131):
        trader.market("buy", 0.01)
    trader.exchange.move_price("20999", markPrice="20000")
    assert trader.market("buy", 0.01)["average"] == 20_999


def test_margin_covers_notional_and_fee_and_no_more(new_trader: Callable[..., Trader]) -> None:
    poor = new_trader("1008")  # 1 BTC at 20 times: 1000 of margin and 8 of fee
    assert poor.market("buy", 1)["status"] == "closed"
    poorer = new_trader("1007.99")
    with refused(-2019, ccxt.InsufficientFunds):
        poorer.market("buy", 1)


def test_resting_orders_tie_up_margin(new_trader: Callable[..., Trader]) -> None:
    trader = new_trader("1010")
    trader.limit("buy", 0.5, 19_999)
    with refused(-2019, ccxt.InsufficientFunds):
        trader.limit("buy", 0.6, 19_998)
    balance = trader.futures.fetch_balance()["USDT"]
    assert balance["used"] == pytest.approx(499.975)
    assert balance["free"] == pytest.approx(510.025)


def test_position_over_the_leverages_bracket_is_refused(new_trader: Callable[..., Trader]) -> None:
    rich = new_trader("1000000")
    rich.futures.set_leverage(125, BTC)
    with refused(-2027):
        rich.market("buy", 15.001)  # 300,020 USDT; 125 times allows 300,000
    rich.futures.set_leverage(100, BTC)
    assert rich.market("buy", 15.001)["status"] == "closed"
    with refused(-2027):
        rich.futures.set_leverage(125, BTC)


def test_reduce_only_needs_a_position_on_the_other_side(trader: Trader) -> None:
    with refused(-2022, ccxt.InvalidOrder):
        trader.market("sell", 0.01, reduceOnly=True)
    trader.market("buy", 0.1)
    with refused(-2022, ccxt.InvalidOrder):
        trader.market("buy", 0.01, reduceOnly=True)
    assert trader.market("sell", 0.04, reduceOnly=True)["filled"] == 0.04
    assert trader.held() == "0.06"


def test_reduce_only_below_the_minimum_notional_is_accepted(trader: Trader) -> None:
    trader.market("buy", 0.1)
    with refused(-4164, ccxt.InvalidOrder):
        trader.limit("sell", 0.001, 20_500)
    assert trader.limit("sell", 0.001, 20_500, reduceOnly=True)["status"] == "open"


def test_reduce_only_never_flips_the_position(trader: Trader) -> None:
    trader.market("buy", 0.1)
    order = trader.market("sell", 0.5, reduceOnly=True)
    assert (order["status"], order["filled"]) == ("closed", 0.1)
    assert trader.held() == "0"


def test_reduce_only_limits_stay_when_the_position_goes_and_do_nothing_later(trader: Trader) -> None:
    trader.market("buy", 0.1)
    take_profit = trader.limit("sell", 0.1, 20_500, reduceOnly=True)
    trader.market("sell", 0.1, reduceOnly=True)
    assert [order["id"] for order in trader.open_regular()] == [take_profit["id"]]
    trader.exchange.move_price("21000")
    assert trader.held() == "0"
    assert trader.futures.fetch_order(take_profit["id"], BTC)["status"] == "expired"


def test_reduce_only_limits_go_with_the_position_when_switched(trader: Trader) -> None:
    trader.exchange.set(expire_reduce_only_when_flat=True)
    trader.market("buy", 0.1)
    trader.limit("sell", 0.1, 20_500, reduceOnly=True)
    trader.market("sell", 0.1, reduceOnly=True)
    assert trader.open_regular() == []


def test_overlapping_closes_are_refused_only_when_switched(trader: Trader) -> None:
    trader.market("buy", 0.1)
    trader.limit("sell", 0.1, 20_500, reduceOnly=True)
    assert trader.limit("sell", 0.05, 20_600, reduceOnly=True)["status"] == "open"
    trader.futures.cancel_all_orders(BTC)
    trader.exchange.set(refuse_overlapping_close=True)
    trader.limit("sell", 0.06, 20_500, reduceOnly=True)
    assert trader.limit("sell", 0.04, 20_600, reduceOnly=True)["status"] == "open"
    with refused(-4118):
        trader.limit("sell", 0.001, 20_700, reduceOnly=True)
    with refused(-4118):
        trader.market("sell", 0.1, reduceOnly=True)
    trader.futures.cancel_all_orders(BTC)
    assert trader.market("sell", 0.1, reduceOnly=True)["status"] == "closed"


def test_cancelled_order_is_gone_and_cancels_once(trader: Trader) -> None:
    order = trader.limit("buy", 0.1, 19_500)
    assert trader.futures.cancel_order(order["id"], BTC)["status"] == "canceled"
    with refused(-2011, ccxt.OrderNotFound):
        trader.futures.cancel_order(order["id"], BTC)
    with refused(-2011, ccxt.OrderNotFound):
        trader.futures.cancel_order(None, BTC, {"origClientOrderId": "never-sent"})
    trader.exchange.move_price("19000")
    assert trader.held() == "0"


def test_filled_order_does_not_cancel(trader: Trader) -> None:
    order = trader.market("buy", 0.1)
    with refused(-2011, ccxt.OrderNotFound):
        trader.futures.cancel_order(order["id"], BTC)


def test_cancel_all_leaves_other_symbols_and_conditional_orders(trader: Trader) -> None:
    trader.market("buy", 0.1)
    trader.limit("sell", 0.1, 20_500, reduceOnly=True)
    trader.limit("buy", 0.1, 1_450, symbol=ETH)
    trader.stop("sell", 19_500)
    trader.futures.cancel_all_orders(BTC)
    assert trader.open_regular() == []
    assert len(trader.open_regular(ETH)) == 1
    assert len(trader.open_algos()) == 1
    trader.futures.cancel_all_orders(BTC, {"trigger": True})
    assert trader.open_algos() == []


def test_market_close_may_be_refused_over_conditional_orders_that_reduce_too(trader: Trader) -> None:
    trader.exchange.set(refuse_overlapping_close=True, overlap_counts_conditional=True)
    trader.market("buy", 0.1)
    trader.stop("sell", 19_500)
    trader.limit("sell", 0.1, 20_500, reduceOnly=True)
    with refused(-4118):
        trader.market("sell", 0.1, reduceOnly=True)
    trader.futures.cancel_all_orders(BTC)
    standing = trader.stop("sell", 19_600, 0.1, reduceOnly=True)
    with refused(-4118):
        trader.market("sell", 0.1, reduceOnly=True)
    trader.futures.cancel_order(standing["id"], BTC, {"trigger": True})
    # Orders that close the whole position do not count.
    trader.market("sell", 0.1, reduceOnly=True)
    assert trader.held() == "0"


def test_histories_list_oldest_first(trader: Trader) -> None:
    first, second = trader.market("buy", 0.1), trader.limit("sell", 0.1, 20_500)
    assert [order["id"] for order in trader.futures.fetch_orders(BTC)] == [first["id"], second["id"]]
    assert [order["id"] for order in trader.futures.fetch_orders(BTC, limit=1)] == [second["id"]]
    assert [trade["order"] for trade in trader.futures.fetch_my_trades(BTC)] == [first["id"]]
    assert trader.futures.fapiPrivateGetOpenOrder({"symbol": "BTCUSDT", "orderId": second["id"]})["status"] == "NEW"
    with refused(-2013):
        trader.futures.fapiPrivateGetOpenOrder({"symbol": "BTCUSDT", "orderId": first["id"]})


def test_too_many_resting_orders_are_refused(new_trader: Callable[..., Trader]) -> None:
    trader = new_trader("1000000")
    trader.exchange.set(limits_enabled=False)
    batch = [
        {"symbol": BTC, "type": "limit", "side": "buy", "amount": 0.01, "price": 19_500, "params": {}} for _ in range(5)
    ]
    for _ in range(40):
        trader.futures.create_orders([{**order, "params": {}} for order in batch])
    with refused(-2025):
        trader.limit("buy", 0.01, 19_500)
    assert trader.market("buy", 0.01)["status"] == "closed"


DAY_MS = 24 * 3600 * 1000


@pytest.mark.parametrize("history", ["UserTrades", "AllOrders", "AllAlgoOrders"])
def test_histories_cover_seven_days_at_most(trader: Trader, history: str) -> None:
    ask = getattr(trader.futures, f"fapiPrivateGet{history}")
    now_ms = trader.futures.milliseconds()
    assert ask({"symbol": "BTCUSDT", "startTime": now_ms - 7 * DAY_MS, "endTime": now_ms}) == []
    with refused(-1127):
        ask({"symbol": "BTCUSDT", "startTime": now_ms - 8 * DAY_MS, "endTime": now_ms})


def test_history_from_an_id_on_takes_no_times(trader: Trader) -> None:
    with refused(-1128):
        trader.futures.fapiPrivateGetUserTrades({"symbol": "BTCUSDT", "fromId": 1, "startTime": 1})


def test_history_longer_than_its_limit_shows_the_newest_of_its_span(trader: Trader) -> None:
    orders = [int(trader.market("buy", 0.1)["id"]) for _ in range(3)]
    span = {"symbol": "BTCUSDT", "startTime": trader.futures.milliseconds() - DAY_MS, "limit": 2}
    assert [order["orderId"] for order in trader.futures.fapiPrivateGetAllOrders(span)] == orders[1:]
    assert [trade["orderId"] for trade in trader.futures.fapiPrivateGetUserTrades(span)] == orders[1:]


def test_fees_are_paid_in_bnb_while_there_is_some(trader: Trader) -> None:
    trader.exchange.control("PUT", f"/paper/accounts/{trader.api_key}", {"feeBurn": True, "balances": {"BNB": "0.03"}})
    trader.market("buy", 0.1)
    trader.market("buy", 1)
    first, second = trader.snapshot()["trades"]
    # 2,000 USDT x 0.04 % x 0.9 / 300; for the third fee there is not enough left.
    assert (first["commission"], first["commissionAsset"]) == ("0.00240000", "BNB")
    assert (second["commission"], second["commissionAsset"]) == ("0.02400000", "BNB")
    trader.market("buy", 1)
    assert trader.snapshot()["trades"][2]["commissionAsset"] == "USDT"
    assert trader.futures.fapiPrivateGetFeeBurn()["feeBurn"] is True
