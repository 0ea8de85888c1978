"""The futures routes that place, cancel and look up orders. Parses and formats; matching.py and algos.py decide."""

from __future__ import annotations

import json
from typing import Any

from local.paper_exchange import algos, fills, filters, matching, retention
from local.paper_exchange.accounts import Account
from local.paper_exchange.calls import Access, Call, Route, Routes
from local.paper_exchange.orders import (
    ZERO,
    AlgoOrder,
    Order,
    OrderType,
    PositionSide,
    Side,
    TimeInForce,
    Wallet,
    WorkingType,
)
from local.paper_exchange.params import Params
from local.paper_exchange.refusals import Refusal
from local.paper_exchange.responses import algo_json, order_json, placed_json
from local.paper_exchange.symbols import MAX_BATCH

_MAX_CANCEL_BATCH = 10


def _place(call: Call, params: Params) -> dict[str, Any]:
    symbol = filters.find_symbol(call.venue, params.required("symbol"))
    side = params.choice("side", Side, code=-1117)
    order_type = params.choice("type", OrderType, code=-1116)
    if order_type.is_conditional:
        raise Refusal(-4120)
    response_type = (params.text("newOrderRespType") or "ACK").upper()
    if response_type not in ("ACK", "RESULT"):
        raise Refusal(-1136)
    if params.flag("closePosition"):
        raise Refusal(-4136, order_type)
    is_limit = order_type is OrderType.LIMIT
    if is_limit and not params.text("timeInForce"):
        raise Refusal(-1102, "timeinforce")
    for name in ("price", "timeInForce"):
        if not is_limit and params.text(name):
            raise Refusal(-1106, name.lower())
    order = matching.place_order(
        call.venue,
        call.account,
        matching.NewOrder(
            symbol=symbol.name,
            side=side,
            order_type=order_type,
            quantity=params.required_decimal("quantity"),
            price=params.required_decimal("price") if is_limit else ZERO,
            time_in_force=params.choice("timeInForce", TimeInForce, default=TimeInForce.GTC, code=-1115),
            position_side=params.choice("positionSide", PositionSide, default=PositionSide.BOTH, code=-4060),
            reduce_only=params.flag("reduceOnly"),
            client_order_id=params.text("newClientOrderId"),
            good_till_ms=params.integer("goodTillDate"),
            fills_part=call.fills_part,
        ),
        call.now_ms,
    )
    return placed_json(order, acknowledge_only=response_type == "ACK")


def place_order(call: Call) -> dict[str, Any]:
    """POST /fapi/v1/order."""
    return _place(call, call.params)


def place_batch(call: Call) -> list[dict[str, Any]]:
    """POST /fapi/v1/batchOrders: each order by itself, each with its own answer."""
    try:
        batch = json.loads(call.params.required("batchOrders"))
    except ValueError:
        raise Refusal(-1130, "batchOrders") from None
    if not isinstance(batch, list) or not 0 < len(batch) <= MAX_BATCH:
        raise Refusal(-4082)
    answers = []
    for entry in batch:
        if not isinstance(entry, dict):
            raise Refusal(-1130, "batchOrders")
        values = {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in entry.items()}
        try:
            answers.append(_place(call, Params(values)))
        except Refusal as refusal:
            answers.append({"code": refusal.code, "msg": refusal.msg})
    return answers


def _requested_order(call: Call) -> Order | None:
    symbol = filters.find_symbol(call.venue, call.params.required("symbol"))
    order_id = call.params.integer("orderId")
    client_order_id = call.params.text("origClientOrderId")
    if order_id is None and client_order_id is None:
        raise Refusal(
            -1102, "orderId", msg="Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!"
        )
    order = call.account.find_order(Wallet.FUTURES, order_id=order_id, client_order_id=client_order_id)
    return order if order is not None and order.symbol == symbol.name else None


def get_order(call: Call) -> dict[str, Any]:
    """GET /fapi/v1/order."""
    order = _requested_order(call)
    if order is None or not retention.shows_order(order, call.now_ms):
        raise Refusal(-2013)
    return order_json(order)


def get_open_order(call: Call) -> dict[str, Any]:
    """GET /fapi/v1/openOrder."""
    order = _requested_order(call)
    if order is None or not order.status.is_open:
        raise Refusal(-2013)
    return order_json(order)


def cancel_order(call: Call) -> dict[str, Any]:
    """DELETE /fapi/v1/order."""
    order = fills.cancel_order(call.account, _requested_order(call), call.now_ms)
    return placed_json(order, acknowledge_only=False)


def cancel_batch(call: Call) -> list[dict[str, Any]]:
    """DELETE /fapi/v1/batchOrders, by ids or by client ids, each with its own answer."""
    symbol = filters.find_symbol(call.venue, call.params.required("symbol"))
    ids = call.params.text("orderIdList") or call.params.text("orderidlist")
    client_ids = call.params.text("origClientOrderIdList") or call.params.text("origclientorderidlist")
    try:
        wanted = json.loads(ids or client_ids or "null")
    except ValueError:
        raise Refusal(-1130, "orderIdList") from None
    if not isinstance(wanted, list) or not 0 < len(wanted) <= _MAX_CANCEL_BATCH:
        raise Refusal(-1102, "orderIdList")
    answers: list[dict[str, Any]] = []
    for key in wanted:
        order = call.account.find_order(
            Wallet.FUTURES,
            order_id=int(key) if ids else None,
            client_order_id=None if ids else str(key),
        )
        if order is not None and order.symbol != symbol.name:
            order = None
        try:
            answers.append(placed_json(fills.cancel_order(call.account, order, call.now_ms), acknowledge_only=False))
        except Refusal as refusal:
            answers.append({"code": refusal.code, "msg": refusal.msg})
    return answers


def cancel_all(call: Call) -> dict[str, Any]:
    """DELETE /fapi/v1/allOpenOrders: regular orders only."""
    symbol = filters.find_symbol(call.venue, call.params.required("symbol"))
    for order in call.account.open_orders(symbol.name):
        fills.cancel_order(call.account, order, call.now_ms)
    return {"code": 200, "msg": "The operation of cancel all open order is done."}


def open_orders(call: Call) -> list[dict[str, Any]]:
    """GET /fapi/v1/openOrders."""
    return [order_json(order) for order in call.account.open_orders(_optional_symbol(call))]


def all_orders(call: Call) -> list[dict[str, Any]]:
    """GET /fapi/v1/allOrders: the newest `limit`, oldest first; from an order id on where one is given."""
    symbol = filters.find_symbol(call.venue, call.params.required("symbol"))
    from_id = call.params.integer("orderId")
    start_ms, end_ms = call.params.week(call.now_ms, from_id=from_id)
    found = [
        order
        for order in call.account.orders.values()
        if order.wallet is Wallet.FUTURES
        and order.symbol == symbol.name
        and retention.shows_order(order, call.now_ms)
        and (from_id is None or order.order_id >= from_id)
        and (start_ms is None or order.created_ms >= start_ms)
        and (end_ms is None or order.created_ms <= end_ms)
    ]
    limit = call.params.limit()
    return [order_json(order) for order in (found[:limit] if from_id is not None else found[-limit:])]


def _optional_symbol(call: Call) -> str | None:
    name = call.params.text("symbol")
    return None if name is None else filters.find_symbol(call.venue, name).name


def algo_row(account: Account, algo: AlgoOrder) -> dict[str, Any]:
    """Return the algo order with the price of the order it became."""
    actual = account.orders.get(algo.actual_order_id) if algo.actual_order_id is not None else None
    return algo_json(algo, actual)


def place_algo(call: Call) -> dict[str, Any]:
    """POST /fapi/v1/algoOrder."""
    params = call.params
    if params.required("algoType").upper() != "CONDITIONAL":
        raise Refusal(-1130, "algoType")
    symbol = filters.find_symbol(call.venue, params.required("symbol"))
    side = params.choice("side", Side, code=-1117)
    order_type = params.choice("type", OrderType, code=-1116)
    is_trailing = order_type is OrderType.TRAILING_STOP_MARKET
    algo = algos.place_algo(
        call.venue,
        call.account,
        algos.NewAlgo(
            symbol=symbol.name,
            side=side,
            order_type=order_type,
            quantity=params.decimal("quantity"),
            price=params.required_decimal("price") if order_type.becomes_limit else ZERO,
            trigger_price=ZERO if is_trailing else params.required_decimal("triggerPrice"),
            activate_price=(params.decimal("activatePrice") or ZERO) if is_trailing else ZERO,
            callback_rate_pct=params.required_decimal("callbackRate") if is_trailing else ZERO,
            working_type=params.choice("workingType", WorkingType, default=WorkingType.CONTRACT_PRICE),
            time_in_force=params.choice("timeInForce", TimeInForce, default=TimeInForce.GTC, code=-1115),
            position_side=params.choice("positionSide", PositionSide, default=PositionSide.BOTH, code=-4060),
            close_position=params.flag("closePosition"),
            reduce_only=params.flag("reduceOnly"),
            price_protect=params.flag("priceProtect"),
            client_algo_id=params.text("clientAlgoId"),
            fills_part=call.fills_part,
        ),
        call.now_ms,
    )
    return algo_json(algo)


def _requested_algo(call: Call) -> AlgoOrder | None:
    algo_id, client_algo_id = call.params.integer("algoId"), call.params.text("clientAlgoId")
    if algo_id is None and client_algo_id is None:
        raise Refusal(-1102, "algoId", msg="Param 'clientAlgoId' or 'algoId' must be sent, but both were empty/null!")
    return call.account.find_algo(algo_id=algo_id, client_algo_id=client_algo_id)


def get_algo(call: Call) -> dict[str, Any]:
    """GET /fapi/v1/algoOrder."""
    algo = _requested_algo(call)
    if algo is None or not retention.shows_algo(algo, call.now_ms):
        raise Refusal(-2013)
    return algo_row(call.account, algo)


def cancel_algo(call: Call) -> dict[str, Any]:
    """DELETE /fapi/v1/algoOrder."""
    algo = algos.cancel_algo(call.account, _requested_algo(call), call.now_ms)
    return {"algoId": algo.algo_id, "clientAlgoId": algo.client_algo_id, "code": "200", "msg": "success"}


def cancel_all_algos(call: Call) -> dict[str, Any]:
    """DELETE /fapi/v1/algoOpenOrders."""
    symbol = filters.find_symbol(call.venue, call.params.required("symbol"))
    for algo in call.account.open_algos(symbol.name):
        algos.cancel_algo(call.account, algo, call.now_ms)
    return {"code": 200, "msg": "The operation of cancel all open order is done."}


def open_algos(call: Call) -> list[dict[str, Any]]:
    """GET /fapi/v1/openAlgoOrders."""
    algo_id = call.params.integer("algoId")
    found = call.account.open_algos(_optional_symbol(call))
    return [algo_row(call.account, algo) for algo in found if algo_id is None or algo.algo_id == algo_id]


def all_algos(call: Call) -> list[dict[str, Any]]:
    """GET /fapi/v1/allAlgoOrders: the newest `limit`, oldest first."""
    symbol = filters.find_symbol(call.venue, call.params.required("symbol"))
    from_id = call.params.integer("algoId")
    start_ms, end_ms = call.params.week(call.now_ms, from_id=from_id)
    found = [
        algo
        for algo in call.account.algos.values()
        if algo.symbol == symbol.name
        and retention.shows_algo(algo, call.now_ms)
        and (from_id is None or algo.algo_id >= from_id)
        and (start_ms is None or algo.created_ms >= start_ms)
        and (end_ms is None or algo.created_ms <= end_ms)
    ]
    limit = call.params.limit()
    return [algo_row(call.account, algo) for algo in (found[:limit] if from_id is not None else found[-limit:])]


_TRADE = Access.TRADE

ROUTES: Routes = {
    ("POST", "/fapi/v1/order"): Route(place_order, _TRADE, weight=0, orders=1),
    ("GET", "/fapi/v1/order"): Route(get_order),
    ("DELETE", "/fapi/v1/order"): Route(cancel_order, _TRADE),
    ("POST", "/fapi/v1/batchOrders"): Route(place_batch, _TRADE, weight=5, orders=MAX_BATCH, orders_a_minute=1),
    ("DELETE", "/fapi/v1/batchOrders"): Route(cancel_batch, _TRADE),
    ("DELETE", "/fapi/v1/allOpenOrders"): Route(cancel_all, _TRADE),
    ("GET", "/fapi/v1/openOrder"): Route(get_open_order),
    ("GET", "/fapi/v1/openOrders"): Route(open_orders, weight_without_symbol=40),
    ("GET", "/fapi/v1/allOrders"): Route(all_orders, weight=5),
    ("POST", "/fapi/v1/algoOrder"): Route(place_algo, _TRADE, weight=0, orders=1),
    ("GET", "/fapi/v1/algoOrder"): Route(get_algo),
    ("DELETE", "/fapi/v1/algoOrder"): Route(cancel_algo, _TRADE),
    ("DELETE", "/fapi/v1/algoOpenOrders"): Route(cancel_all_algos, _TRADE),
    ("GET", "/fapi/v1/openAlgoOrders"): Route(open_algos, weight_without_symbol=40),
    ("GET", "/fapi/v1/allAlgoOrders"): Route(all_algos, weight=5),
}
