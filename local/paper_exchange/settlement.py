"""Ends a symbol, on command or at its delivery: its orders expire, its positions are closed at the mark price. Pure."""

from __future__ import annotations

import dataclasses

from local.paper_exchange import fills
from local.paper_exchange.accounts import Account
from local.paper_exchange.orders import AlgoStatus, Order, OrderStatus, OrderType, Position, Side
from local.paper_exchange.venue import SymbolChange, Venue

SETTLED_PREFIX = "settlement_autoclose-"


DELIVERED = "DELIVERED"


def deliver_due(venue: Venue, now_ms: int) -> None:
    """Settle the dated contracts whose time has come, each at its own time."""
    for name, delivery_ms in venue.deliveries.items():
        if delivery_ms <= now_ms and venue.changes.get(name, SymbolChange()).status != DELIVERED:
            settle(venue, name, delivery_ms, status=DELIVERED)


def settle(venue: Venue, name: str, now_ms: int, *, status: str = "SETTLING") -> None:
    """Give the symbol this status, end its orders, and close its positions."""
    venue.changes[name] = dataclasses.replace(venue.changes.get(name, SymbolChange()), status=status)
    for account in venue.accounts.values():
        for order in account.open_orders(name):
            fills.end_order(account, order, OrderStatus.EXPIRED, now_ms)
        for algo in account.open_algos(name):
            algo.status = AlgoStatus.EXPIRED
            algo.updated_ms = now_ms
            account.open_algo_ids.pop(algo.algo_id, None)
        for position in account.held_positions(name):
            close_at_mark(venue, account, position, client_id=f"{SETTLED_PREFIX}{now_ms}", now_ms=now_ms)


def close_at_mark(
    venue: Venue,
    account: Account,
    position: Position,
    *,
    client_id: str,
    now_ms: int,
    original_type: OrderType = OrderType.MARKET,
) -> None:
    """Close a position at the mark price by an order of the exchange's own."""
    order = Order(
        order_id=venue.next_order_id(),
        client_order_id=client_id,
        symbol=position.symbol,
        side=Side.SELL if position.amount > 0 else Side.BUY,
        position_side=position.position_side,
        order_type=OrderType.MARKET,
        original_type=original_type,
        quantity=abs(position.amount),
        reduce_only=True,
        created_ms=now_ms,
        updated_ms=now_ms,
    )
    account.add_order(order)
    mark = venue.quotes[position.symbol].mark
    fills.fill(venue, account, order, order.quantity, price=mark, is_maker=False, now_ms=now_ms)
