"""The spot market: free and locked balances, market and limit orders. Pure; its prices are the futures' last prices."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal

from local.paper_exchange import fills, filters, matching
from local.paper_exchange.accounts import Account, SpotBalance
from local.paper_exchange.orders import ZERO, Order, OrderStatus, OrderType, Side, TimeInForce, Trade, Wallet
from local.paper_exchange.refusals import Refusal
from local.paper_exchange.symbols import MAX_OPEN_ORDERS, SPOT_FEE, Symbol
from local.paper_exchange.venue import Venue

_TYPES = (OrderType.MARKET, OrderType.LIMIT, OrderType.LIMIT_MAKER)


@dataclass(frozen=True)
class NewSpotOrder:
    """The parsed parameters of `POST /api/v3/order`; a market order has a quantity or a quote quantity."""

    symbol: str
    side: Side
    order_type: OrderType
    quantity: Decimal | None = None
    quote_quantity: Decimal | None = None
    price: Decimal = ZERO
    time_in_force: TimeInForce = TimeInForce.GTC
    client_order_id: str | None = None
    fills_part: bool = False


def place_order(venue: Venue, account: Account, wanted: NewSpotOrder, now_ms: int) -> Order:
    """Check the order, reserve its funds, and fill what is possible at once."""
    symbol = filters.find_spot_symbol(wanted.symbol)
    if wanted.order_type not in _TYPES:
        raise Refusal(-1116)
    if wanted.client_order_id is not None:
        _check_client_id(account, wanted.client_order_id)
    is_market = wanted.order_type is OrderType.MARKET
    last = venue.quotes[symbol.name].last
    quantity = _quantity(symbol, wanted, last)
    price = last if is_market else wanted.price
    _check_filters(account, symbol, quantity=quantity, price=price, is_market=is_market)
    crosses = is_market or matching.crosses(wanted.side, wanted.price, last)
    if wanted.order_type is OrderType.LIMIT_MAKER and crosses:
        raise Refusal(-2010, msg="Order would immediately match and take.")
    order = Order(
        order_id=venue.next_order_id(),
        client_order_id=wanted.client_order_id or venue.next_client_id(),
        symbol=symbol.name,
        side=wanted.side,
        order_type=wanted.order_type,
        original_type=wanted.order_type,
        time_in_force=wanted.time_in_force,
        quantity=quantity,
        quote_quantity=wanted.quote_quantity or ZERO,
        price=ZERO if is_market else wanted.price,
        wallet=Wallet.SPOT,
        fills_part=wanted.fills_part,
        created_ms=now_ms,
        updated_ms=now_ms,
    )
    _reserve(account, order, price)
    account.add_order(order)
    if crosses:
        _fill(venue, account, order, reserved_price=price, price=last, is_maker=False, now_ms=now_ms)
    if order.status.is_open and (is_market or wanted.time_in_force in (TimeInForce.IOC, TimeInForce.FOK)):
        _release(account, order, price)
        fills.end_order(account, order, OrderStatus.EXPIRED, now_ms)
    return order


def _check_client_id(account: Account, client_order_id: str) -> None:
    if not filters.CLIENT_ID.match(client_order_id):
        raise Refusal(-1100, "newClientOrderId", "^[\\.A-Z\\:/a-z0-9_-]{1,36}$")
    if any(order.client_order_id == client_order_id for order in account.open_orders(wallet=Wallet.SPOT)):
        raise Refusal(-2010, msg="Duplicate order sent.")


def _quantity(symbol: Symbol, wanted: NewSpotOrder, last: Decimal) -> Decimal:
    if wanted.quantity is not None:
        return wanted.quantity
    if wanted.quote_quantity is None:
        raise Refusal(-1102, "quantity")
    return (wanted.quote_quantity / last / symbol.spot.step).to_integral_value(ROUND_DOWN) * symbol.spot.step


def _check_filters(account: Account, symbol: Symbol, *, quantity: Decimal, price: Decimal, is_market: bool) -> None:
    if quantity <= 0 or quantity < symbol.spot.step or quantity > symbol.spot.max_amount or quantity % symbol.spot.step:
        raise Refusal(-1013, "LOT_SIZE")
    if not is_market and (price <= 0 or price % symbol.spot.tick):
        raise Refusal(-1013, "PRICE_FILTER")
    if quantity * price < symbol.spot.min_notional_usdt:
        raise Refusal(-1013, "NOTIONAL")
    if len(account.open_orders(symbol.name, Wallet.SPOT)) >= MAX_OPEN_ORDERS:
        raise Refusal(-1013, "MAX_NUM_ORDERS")


def _balance(account: Account, asset: str) -> SpotBalance:
    return account.spot_balances.setdefault(asset, SpotBalance())


def _paid(order: Order, price: Decimal, quantity: Decimal) -> tuple[str, Decimal]:
    """Return the asset that the order pays with, and the cost of this quantity in it."""
    symbol = filters.find_spot_symbol(order.symbol)
    return (symbol.quote, quantity * price) if order.side is Side.BUY else (symbol.base, quantity)


def _reserve(account: Account, order: Order, price: Decimal) -> None:
    asset, amount = _paid(order, price, order.quantity)
    balance = _balance(account, asset)
    if balance.free < amount:
        raise Refusal(-2010)
    balance.free -= amount
    balance.locked += amount


def _release(account: Account, order: Order, price: Decimal) -> None:
    asset, amount = _paid(order, price, order.remaining)
    balance = _balance(account, asset)
    balance.locked -= amount
    balance.free += amount


def _fill(
    venue: Venue,
    account: Account,
    order: Order,
    *,
    reserved_price: Decimal,
    price: Decimal,
    is_maker: bool,
    now_ms: int,
) -> None:
    """Fill the rest of the order; the fee is taken from the received asset."""
    symbol = filters.find_spot_symbol(order.symbol)
    quantity = order.remaining
    if order.fills_part:
        order.fills_part = False
        quantity = max(symbol.spot.step, quantity / 2 // symbol.spot.step * symbol.spot.step)
    asset, reserved = _paid(order, reserved_price, quantity)
    _, cost = _paid(order, price, quantity)
    balance = _balance(account, asset)
    balance.locked -= reserved
    balance.free += reserved - cost
    received_asset = symbol.base if order.side is Side.BUY else symbol.quote
    received = quantity if order.side is Side.BUY else quantity * price
    fee = (received * SPOT_FEE).quantize(fills.MONEY_STEP)
    _balance(account, received_asset).free += received - fee
    account.trades.append(
        Trade(
            trade_id=venue.next_trade_id(),
            order_id=order.order_id,
            symbol=order.symbol,
            side=order.side,
            price=price,
            quantity=quantity,
            fee=fee,
            fee_asset=received_asset,
            is_maker=is_maker,
            time_ms=now_ms,
            wallet=Wallet.SPOT,
        )
    )
    order.executed += quantity
    order.executed_quote += quantity * price
    order.updated_ms = now_ms
    order.status = OrderStatus.PARTIALLY_FILLED if order.remaining else OrderStatus.FILLED
    if order.status is OrderStatus.FILLED:
        fills.end_order(account, order, OrderStatus.FILLED, now_ms)


def cancel_order(account: Account, order: Order | None, now_ms: int) -> Order:
    """Cancel an open order and release its reserved funds; refuse any other order."""
    fills.cancel_order(account, order, now_ms)
    assert order is not None  # noqa: S101 - cancel_order refused otherwise
    _release(account, order, order.price)
    return order


def sweep(venue: Venue, account: Account, name: str, now_ms: int) -> None:
    """Fill the resting orders that the present price has reached, each at its own price."""
    last = venue.quotes[name].last
    for order in account.open_orders(name, Wallet.SPOT):
        if matching.crosses(order.side, order.price, last):
            _fill(venue, account, order, reserved_price=order.price, price=order.price, is_maker=True, now_ms=now_ms)
