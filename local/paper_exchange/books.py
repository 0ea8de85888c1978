"""The book of a symbol: levels that orders eat and time refills, and the orders of other accounts. Fills nothing.

A symbol without levels has an endless amount on both sides at its last price, and accounts do not meet there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal

from local.paper_exchange import filters
from local.paper_exchange.accounts import Account
from local.paper_exchange.orders import ZERO, Order, OrderType, Side
from local.paper_exchange.venue import Book, Level, Venue

ENDLESS = Decimal("Infinity")
SHOWN_OF_ENDLESS = Decimal(1000)


@dataclass(slots=True)
class Offer:
    """What can be taken at one price: of a level, or of another account's resting order."""

    price: Decimal
    amount: Decimal
    level: Level | None = None
    maker: Account | None = None
    maker_order: Order | None = None


@dataclass(slots=True)
class Depth:
    """Both sides of a book, best price first, as pairs of price and amount."""

    bids: list[tuple[Decimal, Decimal]] = field(default_factory=list)
    asks: list[tuple[Decimal, Decimal]] = field(default_factory=list)


def left(book: Book, level: Level, now_ms: int) -> Decimal:
    """Return the amount that the level has now; it is full again some time after it was last eaten from."""
    if level.eaten and now_ms - level.eaten_ms >= book.refill_ms:
        level.eaten = ZERO
    return level.amount - level.eaten


def eat(level: Level, amount: Decimal, now_ms: int) -> None:
    """Take an amount from the level."""
    level.eaten += amount
    level.eaten_ms = now_ms


def refill(venue: Venue, name: str) -> None:
    """Fill every level: the market has moved to another price, where nothing is eaten yet."""
    book = venue.books.get(name)
    if book is not None:
        for level in (*book.bids, *book.asks):
            level.eaten = ZERO


def offers_to(venue: Venue, order: Order, now_ms: int) -> list[Offer]:
    """Return what the order can take at once, best price first, orders of its own account included."""
    if order.symbol not in venue.books:
        last = venue.quotes[order.symbol].last
        return [Offer(last, ENDLESS)] if takes(order, last) else []
    found = [offer for offer in _side(venue, order.symbol, order.side.other, now_ms) if takes(order, offer.price)]
    # At one price the orders of accounts come first.
    return sorted(found, key=lambda offer: (offer.price * order.side.sign, offer.maker is None))


def amount_for(offers: list[Offer], account: Account) -> Decimal:
    """Return what the account can take of the offers, its own orders left out."""
    return sum((offer.amount for offer in offers if offer.maker is not account), ZERO)


def levels_for(venue: Venue, order: Order, now_ms: int) -> list[Offer]:
    """Return the levels that a resting order has met, best price first."""
    found = _levels(venue, order.symbol, order.side.other, now_ms)
    return [offer for offer in found if takes(order, offer.price)]


def best_for(venue: Venue, name: str, side: Side, now_ms: int) -> Decimal | None:
    """Return the best price at which a side's orders meet a level; None where nothing is left of any."""
    prices = [offer.price for offer in _levels(venue, name, side.other, now_ms)]
    return min(prices, key=lambda price: price * side.sign, default=None)


def depth(venue: Venue, name: str, now_ms: int) -> Depth:
    """Return both sides of the book, each price once."""
    last = venue.quotes[name].last
    if name not in venue.books:
        return Depth([(last, SHOWN_OF_ENDLESS)], [(last, SHOWN_OF_ENDLESS)])
    sides: dict[Side, dict[Decimal, Decimal]] = {Side.BUY: {}, Side.SELL: {}}
    for side, amounts in sides.items():
        for offer in _side(venue, name, side, now_ms):
            amounts[offer.price] = amounts.get(offer.price, ZERO) + offer.amount
    return Depth(sorted(sides[Side.BUY].items(), reverse=True), sorted(sides[Side.SELL].items()))


def takes(order: Order, price: Decimal | None) -> bool:
    """Return whether an order takes a price, if there is one."""
    if price is None:
        return False
    return order.order_type is OrderType.MARKET or (order.price - price) * order.side.sign >= 0


def _side(venue: Venue, name: str, side: Side, now_ms: int) -> Iterator[Offer]:
    """Return the levels and the resting orders of one side."""
    yield from _levels(venue, name, side, now_ms)
    for account in venue.accounts.values():
        for order in account.open_orders(name):
            if order.side is side:
                yield Offer(order.price, order.remaining, maker=account, maker_order=order)


def _levels(venue: Venue, name: str, side: Side, now_ms: int) -> list[Offer]:
    book, tick, last = venue.books[name], filters.find_symbol(venue, name).tick, venue.quotes[name].last
    levels = book.bids if side is Side.BUY else book.asks
    found = [Offer(last - side.sign * level.ticks * tick, left(book, level, now_ms), level) for level in levels]
    return [offer for offer in found if offer.amount > 0 and offer.price > 0]
