"""Positions in Binance's own fields. Formats margin.py's figures, computes none."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from functools import lru_cache
from typing import Any, NamedTuple

from local.paper_exchange import margin
from local.paper_exchange.accounts import Account
from local.paper_exchange.encoding import encoded
from local.paper_exchange.listing import EVERY_SYMBOL
from local.paper_exchange.orders import ZERO, Position, PositionSide
from local.paper_exchange.responses import fixed, money
from local.paper_exchange.venue import Venue


def position_figures(venue: Venue, account: Account, position: Position) -> dict[str, str]:
    """Return one position's figures, formatted, under the names that positionRisk uses."""
    symbol = EVERY_SYMBOL[position.symbol]
    mark = venue.quotes[position.symbol].mark
    notional = position.amount * mark
    position_initial, order_initial = margin.symbol_initial(venue, account, position.symbol)
    if account.is_hedge_mode:
        # Each leg shows its own share; what the orders need is shown once, on the long leg.
        position_initial = abs(notional) / account.leverage(position.symbol)
        order_initial = order_initial if position.position_side is PositionSide.LONG else ZERO
    is_isolated = position.symbol in account.isolated_symbols
    return {
        "isolatedMargin": money(margin.isolated_balance(venue, position)) if is_isolated else money(ZERO),
        "isolatedWallet": money(position.isolated_wallet) if is_isolated else money(ZERO),
        "positionAmt": fixed(position.amount, symbol.amount_digits),
        "entryPrice": _price(position.entry_price),
        "breakEvenPrice": _price(position.entry_price),
        "markPrice": money(mark),
        "unRealizedProfit": money(margin.unrealized(venue, position)),
        "liquidationPrice": _price(margin.liquidation_price(venue, account, position).quantize(symbol.tick)),
        "notional": money(notional),
        "initialMargin": money(position_initial + order_initial),
        "maintMargin": money(margin.maintenance(venue, position)),
        "positionInitialMargin": money(position_initial),
        "openOrderInitialMargin": money(order_initial),
    }


def _price(value: Decimal) -> str:
    return fixed(value, 8).rstrip("0").rstrip(".") if value else "0.0"


def position_risk_v3_json(venue: Venue, account: Account, symbol: str | None) -> list[dict[str, Any]]:
    """Return `GET /fapi/v3/positionRisk`: only symbols with a position or an open order."""
    return [
        {
            "symbol": position.symbol,
            "positionSide": position.position_side,
            **position_figures(venue, account, position),
            "marginAsset": margin.margin_asset(position.symbol),
            "adl": 1 if position.amount else 0,
            "bidNotional": "0",
            "askNotional": "0",
            "updateTime": position.updated_ms,
        }
        for position in listed_positions(account)
        if symbol is None or position.symbol == symbol
    ]


def position_risk_v2_rows(venue: Venue, account: Account, symbol: str | None) -> list[bytes]:
    """Return the rows of `GET /fapi/v2/positionRisk`: every symbol, flat ones too, with leverage and margin type."""
    names = list(venue.listed()) if symbol is None else [symbol]
    return _rows(venue, account, names, _risk_v2_row)


def _risk_v2_row(position: Position, figures: dict[str, str], leverage: int, is_isolated: bool) -> dict[str, Any]:
    return {
        "symbol": position.symbol,
        "positionAmt": figures["positionAmt"],
        "entryPrice": figures["entryPrice"],
        "breakEvenPrice": figures["breakEvenPrice"],
        "markPrice": figures["markPrice"],
        "unRealizedProfit": figures["unRealizedProfit"],
        "liquidationPrice": figures["liquidationPrice"],
        "leverage": str(leverage),
        "maxNotionalValue": str(EVERY_SYMBOL[position.symbol].max_notional(leverage)),
        "marginType": "isolated" if is_isolated else "cross",
        "isolatedMargin": figures["isolatedMargin"],
        "isAutoAddMargin": "false",
        "positionSide": position.position_side,
        "notional": figures["notional"],
        "isolatedWallet": figures["isolatedWallet"],
        "updateTime": position.updated_ms,
        "isolated": is_isolated,
        "adlQuantile": 1 if position.amount else 0,
    }


def account_v2_rows(venue: Venue, account: Account) -> list[bytes]:
    """Return the positions of `GET /fapi/v2/account`: a row for every symbol, flat ones too, with its settings."""
    return _rows(venue, account, list(venue.listed()), _account_v2_row)


def _account_v2_row(position: Position, figures: dict[str, str], leverage: int, is_isolated: bool) -> dict[str, Any]:
    return {
        "symbol": position.symbol,
        "initialMargin": figures["initialMargin"],
        "maintMargin": figures["maintMargin"],
        "unrealizedProfit": figures["unRealizedProfit"],
        "positionInitialMargin": figures["positionInitialMargin"],
        "openOrderInitialMargin": figures["openOrderInitialMargin"],
        "leverage": str(leverage),
        "isolated": is_isolated,
        "entryPrice": figures["entryPrice"],
        "breakEvenPrice": figures["breakEvenPrice"],
        "maxNotional": str(EVERY_SYMBOL[position.symbol].max_notional(leverage)),
        "positionSide": position.position_side,
        "positionAmt": figures["positionAmt"],
        "notional": figures["notional"],
        "isolatedWallet": figures["isolatedWallet"],
        "bidNotional": "0",
        "askNotional": "0",
        "updateTime": position.updated_ms,
    }


_Row = Callable[[Position, dict[str, str], int, bool], dict[str, Any]]


def _rows(venue: Venue, account: Account, names: list[str], row: _Row) -> list[bytes]:
    """Return a row for each leg of these symbols; those of symbols that the account never touched are kept."""
    touched = {position.symbol for position in account.positions.values()}
    touched.update(order.symbol for order in account.open_orders())
    rows = []
    for name in names:
        leverage, is_isolated = account.leverage(name), name in account.isolated_symbols
        for side in position_sides(account):
            if name in touched:
                position = account.held_or_flat(name, side)
                figures = position_figures(venue, account, position)
                rows.append(encoded(row(position, figures, leverage, is_isolated)))
            else:
                mark = venue.quotes[name].mark if row is _risk_v2_row else ZERO  # the other rows do not show it
                rows.append(_untouched_row(row, _Untouched(name, side, leverage, is_isolated, mark)))
    return rows


class _Untouched(NamedTuple):
    """A leg that the account never touched: all that its rows depend on."""

    name: str
    side: PositionSide
    leverage: int
    is_isolated: bool
    mark: Decimal


@lru_cache(maxsize=20_000)
def _untouched_row(row: _Row, leg: _Untouched) -> bytes:
    nothing = money(ZERO)
    figures = {
        "positionAmt": fixed(ZERO, EVERY_SYMBOL[leg.name].amount_digits),
        "entryPrice": _price(ZERO),
        "breakEvenPrice": _price(ZERO),
        "markPrice": money(leg.mark),
        "liquidationPrice": _price(ZERO),
        **dict.fromkeys(_MONEY_FIGURES, nothing),
    }
    return encoded(row(Position(leg.name, leg.side), figures, leg.leverage, leg.is_isolated))


_MONEY_FIGURES = (
    "isolatedMargin",
    "isolatedWallet",
    "unRealizedProfit",
    "notional",
    "initialMargin",
    "maintMargin",
    "positionInitialMargin",
    "openOrderInitialMargin",
)


def position_sides(account: Account) -> tuple[PositionSide, ...]:
    """Return the legs that the account's mode has."""
    return (PositionSide.LONG, PositionSide.SHORT) if account.is_hedge_mode else (PositionSide.BOTH,)


def listed_positions(account: Account) -> list[Position]:
    """Return the positions that v3 lists: held ones, and flat ones with an open order."""
    shown = dict.fromkeys(position.symbol for position in account.held_positions())
    shown.update(dict.fromkeys(order.symbol for order in account.open_orders()))
    with_orders = {order.symbol for order in account.open_orders()}
    return [
        position
        for symbol in (*(name for name in EVERY_SYMBOL if name in shown), *(shown.keys() - EVERY_SYMBOL.keys()))
        for side in position_sides(account)
        if (position := account.held_or_flat(symbol, side)).amount or symbol in with_orders
    ]
