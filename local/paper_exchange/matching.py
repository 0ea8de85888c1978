"""Places, fills and cancels regular futures orders. Pure: no I/O, no clock, Decimal only.

A market order, and a limit order that crosses, fills as a taker with what the book offers (books.py): without a book
whole at the last price. A limit order that rests fills whole at its own price, as a maker, when the last price reaches
it (price_moves.py), and by parts when another order or a refilled level meets it.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from local.paper_exchange import books, fills, filters, margin
from local.paper_exchange.accounts import Account
from local.paper_exchange.orders import (
    ZERO,
    Order,
    OrderStatus,
    OrderType,
    PositionSide,
    Side,
    TimeInForce,
)
from local.paper_exchange.refusals import Refusal
from local.paper_exchange.symbols import MAX_OPEN_ORDERS, Symbol
from local.paper_exchange.venue import Venue

GOOD_TILL_AFTER_MS = 600_000
"""A GTD order must live longer than this."""
GOOD_TILL_BEFORE_MS = 253_402_300_799_000


@dataclass(frozen=True)
class NewOrder:
    """The parsed parameters of `POST /fapi/v1/order`."""

    symbol: str
    side: Side
    order_type: OrderType
    quantity: Decimal
    price: Decimal = ZERO
    time_in_force: TimeInForce = TimeInForce.GTC
    position_side: PositionSide = PositionSide.BOTH
    reduce_only: bool = False
    client_order_id: str | None = None
    good_till_ms: int | None = None
    fills_part: bool = False


def place_order(venue: Venue, account: Account, wanted: NewOrder, now_ms: int) -> Order:
    """Check the order against every rule, store it, and fill what can be filled at once."""
    symbol = filters.find_symbol(venue, wanted.symbol)
    check_symbol(account, symbol, opens=not wanted.reduce_only)
    check_position_side(account, wanted.position_side, reduce_only=wanted.reduce_only)
    if wanted.order_type.is_conditional:
        raise Refusal(-4120)
    if wanted.order_type not in (OrderType.MARKET, OrderType.LIMIT):
        raise Refusal(-1116)
    _check_unique_client_id(account, wanted.client_order_id)
    _check_filters(venue, account, symbol, wanted)
    _check_reduces(venue, account, wanted)
    quote = venue.quotes[symbol.name]
    is_limit = wanted.order_type is OrderType.LIMIT
    if wanted.time_in_force is TimeInForce.GTD:
        _check_good_till(wanted, now_ms)
    if not wanted.reduce_only:
        price = wanted.price if is_limit else quote.last
        addition = margin.Addition(wanted.side, wanted.position_side, wanted.quantity * price)
        margin.check_affordable(venue, account, symbol.name, addition)
    order = Order(
        order_id=venue.next_order_id(),
        client_order_id=wanted.client_order_id or venue.next_client_id(),
        symbol=symbol.name,
        side=wanted.side,
        position_side=wanted.position_side,
        order_type=wanted.order_type,
        original_type=wanted.order_type,
        time_in_force=wanted.time_in_force,
        quantity=wanted.quantity,
        price=wanted.price if is_limit else ZERO,
        reduce_only=wanted.reduce_only,
        # The exchange keeps whole seconds.
        good_till_ms=(wanted.good_till_ms or 0) // 1000 * 1000 if wanted.time_in_force is TimeInForce.GTD else 0,
        fills_part=wanted.fills_part,
        created_ms=now_ms,
        updated_ms=now_ms,
    )
    if is_limit:
        _check_time_in_force(venue, account, order, now_ms)
    account.add_order(order)
    execute_new(venue, account, order, now_ms)
    if order.good_till_ms and order.status.is_open:
        venue.good_till[order.order_id] = account.api_key
    return order


def check_symbol(account: Account, symbol: Symbol, *, opens: bool) -> None:
    """Refuse an order for a symbol that does not trade now, or whose agreement the owner has not signed."""
    filters.check_status(symbol, opens=opens)
    if symbol.contract_type == "TRADIFI_PERPETUAL" and opens and not account.has_signed_tradfi:
        raise Refusal(-4411)


def check_position_side(account: Account, position_side: PositionSide, *, reduce_only: bool) -> None:
    """Refuse an order for the other position mode."""
    if account.is_hedge_mode == (position_side is PositionSide.BOTH):
        raise Refusal(-4061)
    if account.is_hedge_mode and reduce_only:
        raise Refusal(-1106, "reduceonly")


def crosses(side: Side, price: Decimal, last: Decimal) -> bool:
    """Return whether a limit at this price would fill at once."""
    return price >= last if side is Side.BUY else price <= last


def _check_unique_client_id(account: Account, client_order_id: str | None) -> None:
    if client_order_id is None:
        return
    filters.check_client_id(client_order_id)
    if any(order.client_order_id == client_order_id for order in account.open_orders()):
        raise Refusal(-4116)


def _check_filters(venue: Venue, account: Account, symbol: Symbol, wanted: NewOrder) -> None:
    quote = venue.quotes[symbol.name]
    is_limit = wanted.order_type is OrderType.LIMIT
    filters.check_quantity(symbol, wanted.quantity, is_market=not is_limit)
    if is_limit:
        filters.check_price(symbol, wanted.price)
        filters.check_percent_price(symbol, wanted.side, wanted.price, quote)
    else:
        filters.check_market_price(symbol, wanted.side, quote)
    if not wanted.reduce_only and not _closes_hedged(wanted.side, wanted.position_side):
        filters.check_notional(symbol, wanted.quantity * (wanted.price if is_limit else quote.mark))
    if is_limit and len(account.open_orders(symbol.name)) >= MAX_OPEN_ORDERS:
        raise Refusal(-2025)


def _closes_hedged(side: Side, position_side: PositionSide) -> bool:
    return position_side is not PositionSide.BOTH and (side is Side.BUY) != (position_side is PositionSide.LONG)


def _check_reduces(venue: Venue, account: Account, wanted: NewOrder) -> None:
    closable = account.closable(wanted.symbol, wanted.side, wanted.position_side)
    if _closes_hedged(wanted.side, wanted.position_side) and wanted.quantity > closable:
        raise Refusal(-2022)
    if not wanted.reduce_only:
        return
    if closable <= 0:
        raise Refusal(-2022)
    if venue.settings.refuse_overlapping_close:
        standing = _reducing_open_amount(venue, account, wanted)
        if standing and standing + wanted.quantity > closable:
            raise Refusal(-4118)


def _reducing_open_amount(venue: Venue, account: Account, wanted: NewOrder) -> Decimal:
    amounts = [o.remaining for o in account.open_orders(wanted.symbol) if o.reduce_only and o.side is wanted.side]
    if venue.settings.overlap_counts_conditional and wanted.order_type is OrderType.MARKET:
        amounts += [
            algo.quantity
            for algo in account.open_algos(wanted.symbol)
            if algo.reduce_only and not algo.close_position and algo.side is wanted.side
        ]
    return sum(amounts, ZERO)


def _check_time_in_force(venue: Venue, account: Account, order: Order, now_ms: int) -> None:
    offers = books.offers_to(venue, order, now_ms)
    if order.time_in_force is TimeInForce.GTX and offers:
        raise Refusal(-5022)
    if order.time_in_force is TimeInForce.FOK and books.amount_for(offers, account) < order.quantity:
        raise Refusal(-5021)


def _check_good_till(wanted: NewOrder, now_ms: int) -> None:
    if wanted.good_till_ms is None:
        raise Refusal(-1102, "goodtilldate")
    if not now_ms + GOOD_TILL_AFTER_MS < wanted.good_till_ms < GOOD_TILL_BEFORE_MS:
        raise Refusal(-5040)


def expire_good_till(venue: Venue, now_ms: int) -> None:
    """End the open orders whose date has come."""
    for order_id, api_key in list(venue.good_till.items()):
        account = venue.accounts.get(api_key)
        order = account.orders.get(order_id) if account is not None else None
        if account is None or order is None or not order.status.is_open:
            del venue.good_till[order_id]
        elif order.good_till_ms <= now_ms:
            fills.end_order(account, order, OrderStatus.EXPIRED, now_ms)
            del venue.good_till[order_id]


def execute_new(venue: Venue, account: Account, order: Order, now_ms: int) -> None:
    """Fill a new order as far as possible at once, and end what may not rest."""
    is_limit = order.order_type is OrderType.LIMIT
    if not is_limit and order.reduce_only:
        # The exchange reduces such a market order to the position's size.
        order.quantity = min(order.quantity, account.closable(order.symbol, order.side, order.position_side))
    may_rest = is_limit and order.time_in_force is not TimeInForce.IOC
    offers = books.offers_to(venue, order, now_ms)
    if offers:
        _take(venue, account, order, offers, now_ms)
    elif may_rest and order.fills_part:
        fills.fill(
            venue, account, order, partial_quantity(venue, order), price=order.price, is_maker=True, now_ms=now_ms
        )
    if order.status.is_open and not may_rest:
        fills.end_order(account, order, OrderStatus.EXPIRED, now_ms)


def _take(venue: Venue, account: Account, order: Order, offers: list[books.Offer], now_ms: int) -> None:
    """Fill the order with the offers, one after the other."""
    wanted = partial_quantity(venue, order) if order.fills_part else order.remaining
    for offer in offers:
        if offer.maker is account and offer.maker_order is not None:
            # Self-trade prevention EXPIRE_MAKER, the exchange's default.
            fills.end_order(account, offer.maker_order, OrderStatus.EXPIRED_IN_MATCH, now_ms)
            continue
        quantity = min(wanted, offer.amount)
        if order.reduce_only:
            quantity = min(quantity, account.closable(order.symbol, order.side, order.position_side))
        if offer.maker is not None and offer.maker_order is not None:
            before = offer.maker_order.executed
            fills.fill(venue, offer.maker, offer.maker_order, quantity, price=offer.price, is_maker=True, now_ms=now_ms)
            quantity = offer.maker_order.executed - before
            if not quantity:
                continue
        if offer.level is not None:
            books.eat(offer.level, quantity, now_ms)
        fills.fill(venue, account, order, quantity, price=offer.price, is_maker=False, now_ms=now_ms)
        wanted -= quantity
        if wanted <= 0 or not order.status.is_open:
            return


def fill_refilled(venue: Venue, now_ms: int) -> None:
    """Fill resting orders, each at its own price, by the levels that are there again within their limit."""
    for name in venue.books:
        # Nearly all orders rest beyond the book: one comparison each, for this runs before every request.
        best = {side: books.best_for(venue, name, side, now_ms) for side in Side}
        for account in venue.accounts.values():
            for order in account.open_orders(name):
                if not books.takes(order, best[order.side]):
                    continue
                for offer in books.levels_for(venue, order, now_ms):
                    if offer.level is None or not order.status.is_open:
                        continue
                    before = order.executed
                    quantity = min(order.remaining, offer.amount)
                    fills.fill(venue, account, order, quantity, price=order.price, is_maker=True, now_ms=now_ms)
                    books.eat(offer.level, order.executed - before, now_ms)


def partial_quantity(venue: Venue, order: Order) -> Decimal:
    """Return half of the remaining quantity in whole steps, at least one."""
    step = filters.find_symbol(venue, order.symbol).step
    return max(step, order.remaining / 2 // step * step)
