"""The futures filters on an order's quantity, price and client id. Checks no margin (see margin.py)."""

from __future__ import annotations

import re
from decimal import Decimal

from local.paper_exchange.orders import Side
from local.paper_exchange.refusals import Refusal
from local.paper_exchange.symbols import SYMBOLS, Symbol
from local.paper_exchange.venue import Quote, Venue

CLIENT_ID = re.compile(r"^[\.A-Z\:/a-z0-9_-]{1,36}$")


def find_symbol(venue: Venue, name: str) -> Symbol:
    """Return the symbol with its present filters, or refuse one that is not listed."""
    symbol = venue.symbol(name)
    if symbol is None:
        raise Refusal(-1121)
    return symbol


def find_spot_symbol(name: str) -> Symbol:
    """Return the symbol of a spot pair, or refuse an unknown one."""
    symbol = SYMBOLS.get(name)
    if symbol is None:
        raise Refusal(-1121)
    return symbol


def check_status(symbol: Symbol, *, opens: bool) -> None:
    """Refuse an order while the symbol is not traded, or an opening one before it is settled."""
    if symbol.status == "PRE_SETTLE" and opens:
        raise Refusal(-4140)
    if symbol.status not in ("TRADING", "PRE_SETTLE"):
        raise Refusal(-4108)


def check_client_id(client_id: str) -> None:
    """Refuse an id that breaks the exchange's pattern."""
    if not CLIENT_ID.match(client_id):
        raise Refusal(-4015)


def decimal_places(value: Decimal) -> int:
    """Return the number of decimal places without trailing zeros."""
    exponent = value.normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def check_price(symbol: Symbol, price: Decimal) -> None:
    """Refuse a limit price that PRICE_FILTER does not allow."""
    if price <= 0:
        raise Refusal(-4001)
    if price > symbol.max_price:
        raise Refusal(-4002)
    if price < symbol.min_price:
        raise Refusal(-4013)
    _check_tick(symbol, price)


def check_trigger_price(symbol: Symbol, price: Decimal) -> None:
    """Refuse a trigger or activation price that PRICE_FILTER does not allow."""
    if price <= 0:
        raise Refusal(-4006)
    if price > symbol.max_price:
        raise Refusal(-4007)
    _check_tick(symbol, price)


def _check_tick(symbol: Symbol, price: Decimal) -> None:
    if decimal_places(price) > symbol.price_digits:
        raise Refusal(-1111)
    if price % symbol.tick:
        raise Refusal(-4014)


def check_quantity(symbol: Symbol, quantity: Decimal, *, is_market: bool) -> None:
    """Refuse a quantity that LOT_SIZE or MARKET_LOT_SIZE does not allow."""
    if quantity <= 0:
        raise Refusal(-4003)
    if decimal_places(quantity) > symbol.amount_digits:
        raise Refusal(-1111)
    if quantity < symbol.min_amount:
        raise Refusal(-4004)
    if quantity > (symbol.max_market_amount if is_market else symbol.max_amount):
        raise Refusal(-4005)
    if quantity % symbol.step:
        raise Refusal(-4023)


def check_percent_price(symbol: Symbol, side: Side, price: Decimal, quote: Quote) -> None:
    """Refuse a limit price too far from the mark price on its worse side."""
    cap = (quote.mark * symbol.multiplier_up).quantize(symbol.tick)
    floor = (quote.mark * symbol.multiplier_down).quantize(symbol.tick)
    if side is Side.BUY and price > cap:
        raise Refusal(-4016, cap)
    if side is Side.SELL and price < floor:
        raise Refusal(-4024, floor)


def check_market_price(symbol: Symbol, side: Side, quote: Quote) -> None:
    """Refuse a market order whose price is too far from the mark price."""
    if side is Side.BUY and quote.last > quote.mark * symbol.multiplier_up:
        raise Refusal(-4131)
    if side is Side.SELL and quote.last < quote.mark * symbol.multiplier_down:
        raise Refusal(-4131)


def check_notional(symbol: Symbol, notional_usdt: Decimal) -> None:
    """Refuse an opening order below MIN_NOTIONAL."""
    if notional_usdt < symbol.min_notional_usdt:
        raise Refusal(-4164, symbol.min_notional_usdt)
