"""What an account's owner does on the exchange's own page, without us."""

from __future__ import annotations

import contextlib
from decimal import Decimal

from local.faults.worlds.exchange import SYMBOL, WatchedExchange
from local.paper_exchange import algos, fills, matching, orders
from local.paper_exchange.accounts import Account
from local.paper_exchange.refusals import Refusal
from shared.trading.sides import Side


def close(exchange: WatchedExchange, account: Account, *, side: Side, quantity: Decimal) -> None:
    """Close `quantity` of the position at the market price, unless the exchange refuses."""
    wanted = matching.NewOrder(
        symbol=SYMBOL,
        side=orders.Side(side.value),
        order_type=orders.OrderType.MARKET,
        quantity=quantity,
        reduce_only=True,
    )
    with contextlib.suppress(Refusal):
        matching.place_order(exchange.venue, account, wanted, exchange.now_ms())
    exchange.check_stop(account.api_key)


def cancel_everything(exchange: WatchedExchange, account: Account) -> None:
    """Cancel every order, conditional ones included."""
    for order in account.open_orders(SYMBOL):
        fills.cancel_order(account, order, exchange.now_ms())
    for algo in account.open_algos(SYMBOL):
        algos.cancel_algo(account, algo, exchange.now_ms())
    exchange.check_stop(account.api_key)
