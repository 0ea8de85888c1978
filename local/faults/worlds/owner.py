"""What an account's owner does on the exchange's own page, without us."""

from __future__ import annotations

import contextlib
from decimal import Decimal

from local.paper_exchange import algos, fills, matching, orders
from local.paper_exchange.accounts import Account
from local.paper_exchange.refusals import Refusal
from local.simulation.exchange import WatchedExchange
from shared.trading.sides import Side


def close(exchange: WatchedExchange, account: Account, symbol: str, *, share: Decimal) -> bool:
    """Close a share of the position at the market price; return False if the exchange refuses, or there is none."""
    amount, found = account.position(symbol).amount, exchange.venue.symbol(symbol)
    step = found.step if found is not None else Decimal(1)
    quantity = abs(amount) * share // step * step
    if not quantity:
        return False
    side = Side.SELL if amount > 0 else Side.BUY
    wanted = matching.NewOrder(
        symbol=symbol,
        side=orders.Side(side.value),
        order_type=orders.OrderType.MARKET,
        quantity=quantity,
        reduce_only=True,
    )
    with contextlib.suppress(Refusal):
        matching.place_order(exchange.venue, account, wanted, exchange.now_ms())
    exchange.check_stops(account.api_key)
    return True


def cancel_everything(exchange: WatchedExchange, account: Account, symbol: str) -> None:
    """Cancel every order on the symbol, conditional ones included."""
    exchange.naked.expect_by_owner(account.api_key, symbol, now_ms=exchange.wall_ms())
    for order in account.open_orders(symbol):
        fills.cancel_order(account, order, exchange.now_ms())
    for algo in account.open_algos(symbol):
        algos.cancel_algo(account, algo, exchange.now_ms())
    exchange.check_stops(account.api_key)
