"""What the exchange closes by itself: the positions of a symbol that it delists, and of an account short of margin."""

from __future__ import annotations

from decimal import Decimal

from local.faults.worlds.market import Market
from local.paper_exchange import margin, market_controls
from local.paper_exchange.accounts import Account
from local.simulation.exchange import WatchedExchange

_BEYOND = Decimal("0.002")
"""So far beyond the liquidation price, as a share of it, the mark price moves."""


def delist(exchange: WatchedExchange, symbol: str) -> None:
    """Settle the symbol: its orders expire, and its positions are closed at the mark price."""
    market_controls.settle_symbol(exchange.venue, symbol, exchange.now_ms())
    for account in exchange.venue.accounts.values():
        exchange.check_stops(account.api_key)


def liquidate(exchange: WatchedExchange, account: Account, market: Market) -> bool:
    """Have the owner withdraw what is free, and the mark price alone pass the liquidation price for a moment.

    Stops trigger on the last price, which stays. Return False if the account holds nothing, or would not be liquidated
    by that.
    """
    position = account.position(market.symbol)
    if not position.amount:
        return False
    account.balances[margin.MARGIN_ASSET] -= margin.summarise(exchange.venue, account).available
    price = margin.liquidation_price(exchange.venue, account, position)
    if not price:
        return False
    sign = 1 if position.amount > 0 else -1
    exchange.move_mark_price(market.symbol, market.round(price * (1 - sign * _BEYOND)))
    exchange.move_mark_price(market.symbol, market.price)
    return not position.amount
