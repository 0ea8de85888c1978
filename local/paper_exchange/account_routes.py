"""The futures routes about the account: balances, positions, settings, history. Parses and formats only."""

from __future__ import annotations

from functools import cache
from typing import Any

from local.paper_exchange import account_responses, filters, margin, position_responses, retention
from local.paper_exchange.account_responses import account_config_json, account_v2_body, account_v3_json, balance_json
from local.paper_exchange.calls import Access, Call, Route, Routes
from local.paper_exchange.encoding import encoded, encoded_list
from local.paper_exchange.exchange_info import leverage_brackets
from local.paper_exchange.listing import EVERY_SYMBOL
from local.paper_exchange.orders import Wallet
from local.paper_exchange.refusals import Refusal
from local.paper_exchange.responses import income_json, trade_json


def _optional_symbol(call: Call) -> str | None:
    name = call.params.text("symbol")
    return None if name is None else filters.find_symbol(call.venue, name).name


def account_v2(call: Call) -> bytes:
    """GET /fapi/v2/account."""
    return account_v2_body(call.venue, call.account)


def account_v3(call: Call) -> dict[str, Any]:
    """GET /fapi/v3/account."""
    return account_v3_json(call.venue, call.account)


def balance(call: Call) -> list[dict[str, Any]]:
    """GET /fapi/v2/balance and /fapi/v3/balance."""
    return balance_json(call.venue, call.account)


def account_config(call: Call) -> dict[str, Any]:
    """GET /fapi/v1/accountConfig."""
    return account_config_json(call.account)


def position_risk_v2(call: Call) -> bytes:
    """GET /fapi/v2/positionRisk."""
    return encoded_list(position_responses.position_risk_v2_rows(call.venue, call.account, _optional_symbol(call)))


def position_risk_v3(call: Call) -> list[dict[str, Any]]:
    """GET /fapi/v3/positionRisk."""
    return position_responses.position_risk_v3_json(call.venue, call.account, _optional_symbol(call))


def symbol_config(call: Call) -> bytes:
    """GET /fapi/v1/symbolConfig."""
    name, account = _optional_symbol(call), call.account
    return encoded_list(
        _symbol_config_of(symbol, account.leverage(symbol), symbol in account.isolated_symbols)
        for symbol in ([name] if name is not None else call.venue.listed())
    )


@cache
def _symbol_config_of(name: str, leverage: int, is_isolated: bool) -> bytes:
    return encoded(account_responses.symbol_config_json(name, leverage=leverage, is_isolated=is_isolated))


def get_position_mode(call: Call) -> dict[str, Any]:
    """GET /fapi/v1/positionSide/dual."""
    return {"dualSidePosition": call.account.is_hedge_mode}


def set_position_mode(call: Call) -> dict[str, Any]:
    """POST /fapi/v1/positionSide/dual: only while nothing is open."""
    call.params.required("dualSidePosition")
    wanted = call.params.flag("dualSidePosition")
    account = call.account
    if wanted == account.is_hedge_mode:
        raise Refusal(-4059)
    if account.open_orders() or account.open_algos():
        raise Refusal(-4067)
    if account.held_positions():
        raise Refusal(-4068)
    account.is_hedge_mode = wanted
    account.positions.clear()
    return {"code": 200, "msg": "success"}


def get_multi_assets(call: Call) -> dict[str, Any]:
    """GET /fapi/v1/multiAssetsMargin."""
    return {"multiAssetsMargin": call.account.is_multi_assets}


def set_multi_assets(call: Call) -> dict[str, Any]:
    """POST /fapi/v1/multiAssetsMargin."""
    call.params.required("multiAssetsMargin")
    wanted = call.params.flag("multiAssetsMargin")
    if wanted == call.account.is_multi_assets:
        raise Refusal(-4171)
    call.account.is_multi_assets = wanted
    return {"code": 200, "msg": "success"}


def get_fee_burn(call: Call) -> dict[str, Any]:
    """GET /fapi/v1/feeBurn."""
    return {"feeBurn": call.account.pays_fees_in_bnb}


def set_fee_burn(call: Call) -> dict[str, Any]:
    """POST /fapi/v1/feeBurn: fees in BNB, while the balance lasts."""
    call.params.required("feeBurn")
    call.account.pays_fees_in_bnb = call.params.flag("feeBurn")
    return {"code": 200, "msg": "success"}


def set_leverage(call: Call) -> dict[str, Any]:
    """POST /fapi/v1/leverage: refused where the position would no longer be covered."""
    symbol = filters.find_symbol(call.venue, call.params.required("symbol"))
    leverage = call.params.integer("leverage")
    if leverage is None:
        raise Refusal(-1102, "leverage")
    if not 1 <= leverage <= symbol.max_leverage:
        raise Refusal(-4028, leverage)
    account = call.account
    is_held = bool(account.held_positions(symbol.name))
    if symbol.name in account.isolated_symbols and is_held and leverage < account.leverage(symbol.name):
        raise Refusal(-4161)
    before = account.leverages.get(symbol.name)
    account.leverages[symbol.name] = leverage
    summary = margin.summarise(call.venue, account, symbol.quote)
    exposure = max(margin.exposures(call.venue, account, symbol.name))
    code = (
        -2027 if exposure > symbol.max_notional(leverage) else -2028 if summary.initial > summary.margin_balance else 0
    )
    if exposure and code:
        if before is None:
            del account.leverages[symbol.name]
        else:
            account.leverages[symbol.name] = before
        raise Refusal(code)
    return {
        "symbol": symbol.name,
        "leverage": leverage,
        "maxNotionalValue": str(symbol.max_notional(leverage)),
    }


def set_margin_type(call: Call) -> dict[str, Any]:
    """POST /fapi/v1/marginType: only while nothing is open on the symbol."""
    symbol = filters.find_symbol(call.venue, call.params.required("symbol"))
    wanted = call.params.required("marginType").upper()
    if wanted not in ("ISOLATED", "CROSSED"):
        raise Refusal(-1130, "marginType")
    account = call.account
    if (wanted == "ISOLATED") == (symbol.name in account.isolated_symbols):
        raise Refusal(-4046)
    if account.open_orders(symbol.name) or account.open_algos(symbol.name):
        raise Refusal(-4047)
    if account.held_positions(symbol.name):
        raise Refusal(-4048)
    if wanted == "ISOLATED":
        account.isolated_symbols.add(symbol.name)
    else:
        account.isolated_symbols.discard(symbol.name)
    return {"code": 200, "msg": "success"}


def brackets(call: Call) -> bytes:
    """GET /fapi/v1/leverageBracket: one symbol's entry in a list, or all of them."""
    name = _optional_symbol(call)
    return encoded_list(_brackets_of(listed) for listed in ([name] if name is not None else call.venue.listed()))


@cache
def _brackets_of(name: str) -> bytes:
    return encoded(leverage_brackets(EVERY_SYMBOL[name]))


def commission_rate(call: Call) -> dict[str, Any]:
    """GET /fapi/v1/commissionRate."""
    symbol = filters.find_symbol(call.venue, call.params.required("symbol"))
    return {
        "symbol": symbol.name,
        "makerCommissionRate": f"{call.account.maker_fee:f}",
        "takerCommissionRate": f"{call.account.taker_fee:f}",
        "rpiCommissionRate": "0.00005",
    }


def user_trades(call: Call) -> list[dict[str, Any]]:
    """GET /fapi/v1/userTrades: the newest `limit`, oldest first; from a trade id on where one is given."""
    params = call.params
    symbol = filters.find_symbol(call.venue, params.required("symbol"))
    order_id, from_id = params.integer("orderId"), params.integer("fromId")
    start_ms, end_ms = params.week(call.now_ms, from_id=from_id)
    found = [
        trade
        for trade in call.account.trades
        if trade.wallet is Wallet.FUTURES
        and trade.symbol == symbol.name
        and trade.time_ms >= call.now_ms - retention.TRADES_MS
        and (order_id is None or trade.order_id == order_id)
        and (from_id is None or trade.trade_id >= from_id)
        and (start_ms is None or trade.time_ms >= start_ms)
        and (end_ms is None or trade.time_ms <= end_ms)
    ]
    limit = params.limit()
    return [trade_json(trade) for trade in (found[:limit] if from_id is not None else found[-limit:])]


def income(call: Call) -> list[dict[str, Any]]:
    """GET /fapi/v1/income: the newest `limit`, oldest first; page by page from a time on where one is given.

    Without times it covers the last seven days.
    """
    params = call.params
    symbol, income_type = params.text("symbol"), params.text("incomeType")
    start_ms, end_ms = params.integer("startTime"), params.integer("endTime")
    reach_ms = retention.INCOME_MS if start_ms or end_ms else 7 * retention.DAY_MS
    found = [
        entry
        for entry in call.account.incomes
        if entry.time_ms >= call.now_ms - reach_ms
        and (symbol is None or entry.symbol == symbol)
        and (income_type is None or entry.income_type == income_type)
        and (start_ms is None or entry.time_ms >= start_ms)
        and (end_ms is None or entry.time_ms <= end_ms)
    ]
    limit, page = params.limit(default=100), params.integer("page") or 1
    shown = found[(page - 1) * limit : page * limit] if start_ms is not None else found[-limit:]
    return [income_json(entry) for entry in shown]


def api_restrictions(call: Call) -> dict[str, Any]:
    """GET /sapi/v1/account/apiRestrictions."""
    return account_responses.api_restrictions_json(call.key)


def order_limits(_: Call) -> list[dict[str, Any]]:
    """GET /fapi/v1/rateLimit/order."""
    return [
        {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 300},
        {"rateLimitType": "ORDERS", "interval": "MINUTE", "intervalNum": 1, "limit": 1200},
    ]


ROUTES: Routes = {
    ("GET", "/fapi/v2/account"): Route(account_v2, weight=5),
    ("GET", "/fapi/v3/account"): Route(account_v3, weight=5),
    ("GET", "/fapi/v2/balance"): Route(balance, weight=5),
    ("GET", "/fapi/v3/balance"): Route(balance, weight=5),
    ("GET", "/fapi/v1/accountConfig"): Route(account_config, weight=5),
    ("GET", "/fapi/v2/positionRisk"): Route(position_risk_v2, weight=5),
    ("GET", "/fapi/v3/positionRisk"): Route(position_risk_v3, weight=5),
    ("GET", "/fapi/v1/symbolConfig"): Route(symbol_config, weight=5),
    ("GET", "/fapi/v1/positionSide/dual"): Route(get_position_mode, weight=30),
    ("POST", "/fapi/v1/positionSide/dual"): Route(set_position_mode, Access.TRADE),
    ("GET", "/fapi/v1/multiAssetsMargin"): Route(get_multi_assets, weight=30),
    ("POST", "/fapi/v1/multiAssetsMargin"): Route(set_multi_assets, Access.TRADE),
    ("GET", "/fapi/v1/feeBurn"): Route(get_fee_burn, weight=30),
    ("POST", "/fapi/v1/feeBurn"): Route(set_fee_burn, Access.TRADE),
    ("POST", "/fapi/v1/leverage"): Route(set_leverage, Access.TRADE),
    ("POST", "/fapi/v1/marginType"): Route(set_margin_type, Access.TRADE),
    ("GET", "/fapi/v1/leverageBracket"): Route(brackets),
    ("GET", "/fapi/v1/commissionRate"): Route(commission_rate, weight=20),
    ("GET", "/fapi/v1/userTrades"): Route(user_trades, weight=5),
    ("GET", "/fapi/v1/income"): Route(income, weight=30),
    ("GET", "/fapi/v1/rateLimit/order"): Route(order_limits),
    ("GET", "/sapi/v1/account/apiRestrictions"): Route(api_restrictions),
}
