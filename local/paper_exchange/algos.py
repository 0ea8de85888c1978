"""Conditional ("algo") orders: places and triggers them, and turns them into regular orders. Pure.

A triggered STOP_MARKET, TAKE_PROFIT_MARKET or TRAILING_STOP_MARKET fills at the price that triggered it, so a gap
slips; a triggered STOP or TAKE_PROFIT becomes a limit order, which a gap can leave behind.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from local.paper_exchange import filters, margin, matching
from local.paper_exchange.accounts import Account
from local.paper_exchange.orders import (
    ZERO,
    AlgoOrder,
    AlgoStatus,
    Order,
    OrderType,
    PositionSide,
    Side,
    TimeInForce,
    WorkingType,
)
from local.paper_exchange.refusals import Refusal
from local.paper_exchange.symbols import MAX_OPEN_ALGO_ORDERS, Symbol
from local.paper_exchange.venue import Quote, Venue

MIN_CALLBACK_PCT = Decimal("0.1")
MAX_CALLBACK_PCT = Decimal(10)
_MAY_CLOSE_POSITION = (OrderType.STOP_MARKET, OrderType.TAKE_PROFIT_MARKET)


@dataclass(frozen=True)
class NewAlgo:
    """The parsed parameters of `POST /fapi/v1/algoOrder`."""

    symbol: str
    side: Side
    order_type: OrderType
    quantity: Decimal | None = None
    price: Decimal = ZERO
    trigger_price: Decimal = ZERO
    activate_price: Decimal = ZERO
    callback_rate_pct: Decimal = ZERO
    working_type: WorkingType = WorkingType.CONTRACT_PRICE
    time_in_force: TimeInForce = TimeInForce.GTC
    position_side: PositionSide = PositionSide.BOTH
    close_position: bool = False
    reduce_only: bool = False
    price_protect: bool = False
    client_algo_id: str | None = None
    fills_part: bool = False


def place_algo(venue: Venue, account: Account, wanted: NewAlgo, now_ms: int) -> AlgoOrder:
    """Check and store the conditional order. As at Binance, margin and reduce-only are checked at the trigger."""
    symbol = filters.find_symbol(venue, wanted.symbol)
    matching.check_symbol(account, symbol, opens=not (wanted.reduce_only or wanted.close_position))
    matching.check_position_side(account, wanted.position_side, reduce_only=wanted.reduce_only)
    if not wanted.order_type.is_conditional:
        raise Refusal(-1116)
    if wanted.client_algo_id is not None:
        filters.check_client_id(wanted.client_algo_id)
        if any(algo.client_algo_id == wanted.client_algo_id for algo in account.open_algos()):
            raise Refusal(-4116)
    quote = venue.quotes[symbol.name]
    _check_size(symbol, wanted)
    _check_prices(symbol, wanted, quote)
    if wanted.close_position or wanted.time_in_force is TimeInForce.GTE_GTC:
        _check_close_position(venue, account, wanted)
    if not wanted.close_position and not wanted.reduce_only and wanted.quantity is not None:
        filters.check_notional(symbol, wanted.quantity * (wanted.price or wanted.trigger_price or quote.mark))
    if len(account.open_algos(symbol.name)) >= MAX_OPEN_ALGO_ORDERS:
        raise Refusal(-4045)
    algo = AlgoOrder(
        algo_id=venue.next_algo_id(),
        client_algo_id=wanted.client_algo_id or venue.next_client_id(),
        symbol=symbol.name,
        side=wanted.side,
        position_side=wanted.position_side,
        order_type=wanted.order_type,
        time_in_force=_time_in_force(venue, wanted),
        quantity=wanted.quantity or ZERO,
        price=wanted.price,
        trigger_price=wanted.trigger_price,
        activate_price=wanted.activate_price,
        callback_rate_pct=wanted.callback_rate_pct,
        working_type=wanted.working_type,
        close_position=wanted.close_position,
        # The exchange shows a closing order as reduce-only.
        reduce_only=wanted.reduce_only or wanted.close_position,
        price_protect=wanted.price_protect,
        fills_part=wanted.fills_part,
        created_ms=now_ms,
        updated_ms=now_ms,
    )
    follow_price(algo, quote)
    account.add_algo(algo)
    return algo


def _time_in_force(venue: Venue, wanted: NewAlgo) -> TimeInForce:
    if wanted.close_position and venue.settings.expire_close_position_when_flat:
        return TimeInForce.GTE_GTC
    return wanted.time_in_force


def _check_size(symbol: Symbol, wanted: NewAlgo) -> None:
    if wanted.close_position:
        if wanted.order_type not in _MAY_CLOSE_POSITION:
            raise Refusal(-4136, wanted.order_type)
        if wanted.quantity is not None:
            raise Refusal(-4137)
        if wanted.reduce_only:
            raise Refusal(-1106, "reduceonly")
        return
    if wanted.quantity is None:
        raise Refusal(-1102, "quantity")
    filters.check_quantity(symbol, wanted.quantity, is_market=not wanted.order_type.becomes_limit)


def _check_prices(symbol: Symbol, wanted: NewAlgo, quote: Quote) -> None:
    watched = _watched(wanted.working_type, quote)
    if wanted.order_type is OrderType.TRAILING_STOP_MARKET:
        if not MIN_CALLBACK_PCT <= wanted.callback_rate_pct <= MAX_CALLBACK_PCT:
            raise Refusal(-2007, msg="Invalid callBack rate")
        if wanted.activate_price:
            filters.check_trigger_price(symbol, wanted.activate_price)
            # A trailing stop is activated by a move in the position's favour, which must not have happened yet.
            ahead = (wanted.activate_price - watched) * -wanted.side.sign
            if ahead <= 0:
                raise Refusal(-2021)
        return
    filters.check_trigger_price(symbol, wanted.trigger_price)
    if wanted.order_type.becomes_limit:
        filters.check_price(symbol, wanted.price)
    if _reached(wanted.order_type, wanted.side, wanted.trigger_price, watched):
        raise Refusal(-2021)


def _check_close_position(venue: Venue, account: Account, wanted: NewAlgo) -> None:
    is_flat = not account.closable(wanted.symbol, wanted.side, wanted.position_side)
    explicit = wanted.time_in_force is TimeInForce.GTE_GTC
    if is_flat and (explicit or venue.settings.refuse_close_position_when_flat):
        raise Refusal(-4509)
    if not wanted.close_position:
        return
    for algo in account.open_algos(wanted.symbol):
        same_leg = algo.side is wanted.side and algo.position_side is wanted.position_side
        if algo.close_position and same_leg and algo.order_type.is_take_profit is wanted.order_type.is_take_profit:
            raise Refusal(-4130)


def _watched(working_type: WorkingType, quote: Quote) -> Decimal:
    return quote.mark if working_type is WorkingType.MARK_PRICE else quote.last


def _reached(order_type: OrderType, side: Side, trigger: Decimal, price: Decimal) -> bool:
    """Return whether the trigger is met: a sell stop from above, a sell take-profit from below, buys mirrored."""
    falls = (side is Side.SELL) is not order_type.is_take_profit
    return price <= trigger if falls else price >= trigger


def follow_price(algo: AlgoOrder, quote: Quote) -> None:
    """Activate a trailing stop whose activation price is reached, and update its best price since then."""
    if algo.order_type is not OrderType.TRAILING_STOP_MARKET:
        return
    price = _watched(algo.working_type, quote)
    sells = algo.side is Side.SELL
    if algo.extreme_price is None:
        is_active = not algo.activate_price or (price >= algo.activate_price if sells else price <= algo.activate_price)
        if is_active:
            algo.extreme_price = price
        return
    algo.extreme_price = max(algo.extreme_price, price) if sells else min(algo.extreme_price, price)


def trigger_level(algo: AlgoOrder) -> Decimal | None:
    """Return the price at which the order triggers; None while a trailing stop is not active."""
    if algo.order_type is not OrderType.TRAILING_STOP_MARKET:
        return algo.trigger_price
    if algo.extreme_price is None:
        return None
    return algo.extreme_price * (1 - -algo.side.sign * algo.callback_rate_pct / 100)


def is_triggered(algo: AlgoOrder, quote: Quote) -> bool:
    """Return whether the watched price has reached the trigger."""
    level = trigger_level(algo)
    return level is not None and _reached(algo.order_type, algo.side, level, _watched(algo.working_type, quote))


def trigger(venue: Venue, account: Account, algo: AlgoOrder, now_ms: int) -> None:
    """Turn the algo order into a regular one and fill what is possible; end it if nothing is left to reduce."""
    account.open_algo_ids.pop(algo.algo_id, None)
    algo.triggered_ms = algo.updated_ms = now_ms
    quantity = algo.quantity
    if algo.reduce_only:
        closable = account.closable(algo.symbol, algo.side, algo.position_side)
        quantity = closable if algo.close_position else min(quantity, closable)
        if quantity <= 0:
            algo.status = AlgoStatus.EXPIRED if algo.close_position else AlgoStatus.REJECTED
            algo.fail_reason = "Reduce Only reject"
            return
    else:
        price = algo.price or venue.quotes[algo.symbol].last
        try:
            addition = margin.Addition(algo.side, algo.position_side, quantity * price)
            margin.check_affordable(venue, account, algo.symbol, addition)
        except Refusal as refusal:
            algo.status = AlgoStatus.REJECTED
            algo.fail_reason = refusal.msg
            return
    order = Order(
        order_id=venue.next_order_id(),
        client_order_id=algo.client_algo_id,
        symbol=algo.symbol,
        side=algo.side,
        position_side=algo.position_side,
        order_type=OrderType.LIMIT if algo.order_type.becomes_limit else OrderType.MARKET,
        original_type=algo.order_type,
        time_in_force=algo.time_in_force if algo.order_type.becomes_limit else TimeInForce.GTC,
        quantity=quantity,
        price=algo.price,
        trigger_price=algo.trigger_price,
        working_type=algo.working_type,
        reduce_only=algo.reduce_only,
        close_position=algo.close_position,
        algo_id=algo.algo_id,
        fills_part=algo.fills_part,
        created_ms=now_ms,
        updated_ms=now_ms,
    )
    algo.status = AlgoStatus.TRIGGERED
    algo.actual_order_id = order.order_id
    account.add_order(order)
    matching.execute_new(venue, account, order, now_ms)


def cancel_algo(account: Account, algo: AlgoOrder | None, now_ms: int) -> AlgoOrder:
    """Cancel a conditional order that has not triggered; refuse any other."""
    if algo is None or algo.status is not AlgoStatus.NEW:
        raise Refusal(-2011)
    algo.status = AlgoStatus.CANCELED
    algo.updated_ms = now_ms
    account.open_algo_ids.pop(algo.algo_id, None)
    return algo
