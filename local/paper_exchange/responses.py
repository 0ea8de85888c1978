"""Orders, algo orders, fills and incomes in Binance's own fields and number formats. Decides nothing."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from local.paper_exchange.listing import EVERY_SYMBOL
from local.paper_exchange.orders import AlgoOrder, Income, Order, OrderStatus, OrderType, Side, Trade


def fixed(value: Decimal, digits: int) -> str:
    """Return the number with exactly this many digits after the point."""
    return str(value.quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP)) if value else f"{0:.{digits}f}"


def money(value: Decimal) -> str:
    """Return an amount of USDT, or of any asset, with eight digits."""
    return fixed(value, 8)


def order_json(order: Order) -> dict[str, Any]:
    """Return a regular futures order as a query shows it."""
    symbol = EVERY_SYMBOL[order.symbol]
    return {
        "orderId": order.order_id,
        "symbol": order.symbol,
        "status": order.status,
        "clientOrderId": order.client_order_id,
        "price": fixed(order.price, symbol.price_digits),
        "avgPrice": fixed(order.average_price, max(5, symbol.price_digits)),
        "origQty": fixed(order.quantity, symbol.amount_digits),
        "executedQty": fixed(order.executed, symbol.amount_digits),
        "cumQuote": fixed(order.executed_quote, 5),
        "timeInForce": order.time_in_force,
        "type": order.order_type,
        "reduceOnly": order.reduce_only,
        "closePosition": order.close_position,
        "side": order.side,
        "positionSide": order.position_side,
        "stopPrice": fixed(order.trigger_price, symbol.price_digits),
        "workingType": order.working_type,
        "priceProtect": False,
        "origType": order.original_type,
        "priceMatch": "NONE",
        "selfTradePreventionMode": "EXPIRE_MAKER",
        "goodTillDate": order.good_till_ms,
        "time": order.created_ms,
        "updateTime": order.updated_ms,
    }


def placed_json(order: Order, *, acknowledge_only: bool) -> dict[str, Any]:
    """Return the answer to a new order: its result (RESULT), or as accepted, before any fill (ACK)."""
    answer = order_json(order)
    del answer["time"]
    answer["cumQty"] = answer["executedQty"]
    if acknowledge_only and order.status in (
        OrderStatus.FILLED,
        OrderStatus.PARTIALLY_FILLED,
        OrderStatus.EXPIRED,
    ):
        symbol = EVERY_SYMBOL[order.symbol]
        answer.update(
            status=OrderStatus.NEW,
            executedQty=fixed(Decimal(0), symbol.amount_digits),
            cumQty=fixed(Decimal(0), symbol.amount_digits),
            cumQuote=fixed(Decimal(0), 5),
            avgPrice="0.00",
        )
    return answer


def without_average(answer: dict[str, Any]) -> dict[str, Any]:
    """Return the answer without its average price, which Binance may leave out."""
    return {**answer, "avgPrice": "0.00", "cumQuote": "0"} if "avgPrice" in answer else answer


def algo_json(algo: AlgoOrder, actual: Order | None = None) -> dict[str, Any]:
    """Return an algo order; `actual` is the regular order it turned into."""
    symbol = EVERY_SYMBOL[algo.symbol]
    answer: dict[str, Any] = {
        "algoId": algo.algo_id,
        "clientAlgoId": algo.client_algo_id,
        "algoType": "CONDITIONAL",
        "orderType": algo.order_type,
        "symbol": algo.symbol,
        "side": algo.side,
        "positionSide": algo.position_side,
        "timeInForce": algo.time_in_force,
        "quantity": fixed(algo.quantity, symbol.amount_digits),
        "algoStatus": algo.status,
        "actualOrderId": "" if algo.actual_order_id is None else str(algo.actual_order_id),
        "actualPrice": fixed(actual.average_price if actual is not None else Decimal(0), 5),
        "triggerPrice": fixed(algo.trigger_price, symbol.price_digits),
        "price": fixed(algo.price, symbol.price_digits),
        "icebergQuantity": None,
        "tpTriggerPrice": "0.000",
        "tpPrice": "0.000",
        "slTriggerPrice": "0.000",
        "slPrice": "0.000",
        "tpOrderType": "",
        "selfTradePreventionMode": "EXPIRE_MAKER",
        "workingType": algo.working_type,
        "priceMatch": "NONE",
        "closePosition": algo.close_position,
        "priceProtect": algo.price_protect,
        "reduceOnly": algo.reduce_only,
        "createTime": algo.created_ms,
        "updateTime": algo.updated_ms,
        "triggerTime": algo.triggered_ms,
        "goodTillDate": 0,
    }
    if algo.order_type is OrderType.TRAILING_STOP_MARKET:
        answer["activatePrice"] = fixed(algo.activate_price, symbol.price_digits)
        answer["callbackRate"] = str(algo.callback_rate_pct)
    if algo.fail_reason:
        answer["failReason"] = algo.fail_reason
    return answer


def trade_json(trade: Trade) -> dict[str, Any]:
    """Return a futures fill as `userTrades` shows it."""
    symbol = EVERY_SYMBOL[trade.symbol]
    return {
        "symbol": trade.symbol,
        "id": trade.trade_id,
        "orderId": trade.order_id,
        "side": trade.side,
        "price": fixed(trade.price, symbol.price_digits),
        "qty": fixed(trade.quantity, symbol.amount_digits),
        "realizedPnl": money(trade.realized_usdt),
        "quoteQty": money(trade.quantity * trade.price),
        "commission": money(trade.fee),
        "commissionAsset": trade.fee_asset,
        "time": trade.time_ms,
        "positionSide": trade.position_side,
        "buyer": trade.side is Side.BUY,
        "maker": trade.is_maker,
    }


def income_json(income: Income) -> dict[str, Any]:
    """Return one change of the futures wallet."""
    return {
        "symbol": income.symbol,
        "incomeType": income.income_type,
        "income": money(income.amount),
        "asset": income.asset,
        "info": income.info or income.income_type,
        "time": income.time_ms,
        "tranId": income.income_id,
        "tradeId": "" if income.trade_id is None else str(income.trade_id),
    }


def spot_order_json(order: Order) -> dict[str, Any]:
    """Return a spot order as a query shows it."""
    return {
        "symbol": order.symbol,
        "orderId": order.order_id,
        "orderListId": -1,
        "clientOrderId": order.client_order_id,
        "price": money(order.price),
        "origQty": money(order.quantity),
        "executedQty": money(order.executed),
        "cummulativeQuoteQty": money(order.executed_quote),
        "status": order.status,
        "timeInForce": order.time_in_force,
        "type": order.order_type,
        "side": order.side,
        "stopPrice": "0.00000000",
        "icebergQty": "0.00000000",
        "time": order.created_ms,
        "updateTime": order.updated_ms,
        "isWorking": True,
        "workingTime": order.created_ms,
        "origQuoteOrderQty": money(order.quote_quantity),
        "selfTradePreventionMode": "EXPIRE_MAKER",
    }


def spot_placed_json(order: Order, fills: list[Trade]) -> dict[str, Any]:
    """Return the FULL answer to a new spot order."""
    answer = spot_order_json(order)
    for name in ("time", "updateTime", "isWorking", "stopPrice", "icebergQty"):
        del answer[name]
    answer["transactTime"] = order.created_ms
    answer["fills"] = [
        {
            "price": money(fill.price),
            "qty": money(fill.quantity),
            "commission": money(fill.fee),
            "commissionAsset": fill.fee_asset,
            "tradeId": fill.trade_id,
        }
        for fill in fills
    ]
    return answer


def spot_trade_json(trade: Trade) -> dict[str, Any]:
    """Return a spot fill as `myTrades` shows it."""
    return {
        "symbol": trade.symbol,
        "id": trade.trade_id,
        "orderId": trade.order_id,
        "orderListId": -1,
        "price": money(trade.price),
        "qty": money(trade.quantity),
        "quoteQty": money(trade.quantity * trade.price),
        "commission": money(trade.fee),
        "commissionAsset": trade.fee_asset,
        "time": trade.time_ms,
        "isBuyer": trade.side is Side.BUY,
        "isMaker": trade.is_maker,
        "isBestMatch": True,
    }
