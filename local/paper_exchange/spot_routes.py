"""The spot routes of a key: account, orders, history. Parses and formats; spot.py decides."""

from __future__ import annotations

from typing import Any

from local.paper_exchange import filters, spot
from local.paper_exchange.account_responses import spot_account_json
from local.paper_exchange.calls import Access, Call, Route, Routes
from local.paper_exchange.orders import ZERO, Order, OrderType, Side, TimeInForce, Wallet
from local.paper_exchange.refusals import Refusal
from local.paper_exchange.responses import spot_order_json, spot_placed_json, spot_trade_json


def account(call: Call) -> dict[str, Any]:
    """GET /api/v3/account."""
    return spot_account_json(call.account)


def place_order(call: Call) -> dict[str, Any]:
    """POST /api/v3/order."""
    params = call.params
    symbol = filters.find_spot_symbol(params.required("symbol"))
    order_type = params.choice("type", OrderType, code=-1116)
    is_market = order_type is OrderType.MARKET
    if order_type is OrderType.LIMIT and not params.text("timeInForce"):
        raise Refusal(-1102, "timeInForce")
    order = spot.place_order(
        call.venue,
        call.account,
        spot.NewSpotOrder(
            symbol=symbol.name,
            side=params.choice("side", Side, code=-1117),
            order_type=order_type,
            quantity=params.decimal("quantity") if is_market else params.required_decimal("quantity"),
            quote_quantity=params.decimal("quoteOrderQty"),
            price=ZERO if is_market else params.required_decimal("price"),
            time_in_force=params.choice("timeInForce", TimeInForce, default=TimeInForce.GTC, code=-1115),
            client_order_id=params.text("newClientOrderId"),
            fills_part=call.fills_part,
        ),
        call.now_ms,
    )
    fills = [trade for trade in call.account.trades[-2:] if trade.order_id == order.order_id]
    return spot_placed_json(order, fills)


def _requested_order(call: Call) -> Order | None:
    symbol = filters.find_spot_symbol(call.params.required("symbol"))
    order_id, client_order_id = call.params.integer("orderId"), call.params.text("origClientOrderId")
    if order_id is None and client_order_id is None:
        raise Refusal(
            -1102, "orderId", msg="Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!"
        )
    order = call.account.find_order(Wallet.SPOT, order_id=order_id, client_order_id=client_order_id)
    return order if order is not None and order.symbol == symbol.name else None


def get_order(call: Call) -> dict[str, Any]:
    """GET /api/v3/order."""
    order = _requested_order(call)
    if order is None:
        raise Refusal(-2013)
    return spot_order_json(order)


def cancel_order(call: Call) -> dict[str, Any]:
    """DELETE /api/v3/order."""
    order = spot.cancel_order(call.account, _requested_order(call), call.now_ms)
    return {**spot_placed_json(order, []), "origClientOrderId": order.client_order_id}


def cancel_all(call: Call) -> list[dict[str, Any]]:
    """DELETE /api/v3/openOrders."""
    symbol = filters.find_spot_symbol(call.params.required("symbol"))
    standing = call.account.open_orders(symbol.name, Wallet.SPOT)
    if not standing:
        raise Refusal(-2011)
    return [
        {
            **spot_placed_json(spot.cancel_order(call.account, order, call.now_ms), []),
            "origClientOrderId": order.client_order_id,
        }
        for order in standing
    ]


def open_orders(call: Call) -> list[dict[str, Any]]:
    """GET /api/v3/openOrders."""
    name = call.params.text("symbol")
    symbol = None if name is None else filters.find_spot_symbol(name).name
    return [spot_order_json(order) for order in call.account.open_orders(symbol, Wallet.SPOT)]


def all_orders(call: Call) -> list[dict[str, Any]]:
    """GET /api/v3/allOrders."""
    symbol = filters.find_spot_symbol(call.params.required("symbol"))
    from_id, start_ms = call.params.integer("orderId"), call.params.integer("startTime")
    found = [
        order
        for order in call.account.orders.values()
        if order.wallet is Wallet.SPOT
        and order.symbol == symbol.name
        and (from_id is None or order.order_id >= from_id)
        and (start_ms is None or order.created_ms >= start_ms)
    ]
    return [spot_order_json(order) for order in found[-call.params.limit() :]]


def my_trades(call: Call) -> list[dict[str, Any]]:
    """GET /api/v3/myTrades: the newest `limit`, oldest first; from a trade id on where one is given."""
    params = call.params
    symbol = filters.find_spot_symbol(params.required("symbol"))
    order_id, from_id, start_ms = params.integer("orderId"), params.integer("fromId"), params.integer("startTime")
    found = [
        trade
        for trade in call.account.trades
        if trade.wallet is Wallet.SPOT
        and trade.symbol == symbol.name
        and (order_id is None or trade.order_id == order_id)
        and (from_id is None or trade.trade_id >= from_id)
        and (start_ms is None or trade.time_ms >= start_ms)
    ]
    limit = params.limit()
    return [spot_trade_json(trade) for trade in (found[:limit] if from_id is not None else found[-limit:])]


_TRADE = Access.SPOT_TRADE

ROUTES: Routes = {
    ("GET", "/api/v3/account"): Route(account, weight=20),
    ("POST", "/api/v3/order"): Route(place_order, _TRADE, orders=1),
    ("GET", "/api/v3/order"): Route(get_order, weight=4),
    ("DELETE", "/api/v3/order"): Route(cancel_order, _TRADE),
    ("DELETE", "/api/v3/openOrders"): Route(cancel_all, _TRADE),
    ("GET", "/api/v3/openOrders"): Route(open_orders, weight=6, weight_without_symbol=80),
    ("GET", "/api/v3/allOrders"): Route(all_orders, weight=20),
    ("GET", "/api/v3/myTrades"): Route(my_trades, weight=20),
}
