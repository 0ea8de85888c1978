"""What a fill does: position, realised profit, fee, wallet and the order's own figures; and how orders end. Pure."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

from local.paper_exchange import margin
from local.paper_exchange.accounts import Account
from local.paper_exchange.orders import (
    ZERO,
    AlgoStatus,
    Income,
    IncomeType,
    Order,
    OrderStatus,
    Position,
    Side,
    TimeInForce,
    Trade,
)
from local.paper_exchange.refusals import Refusal
from local.paper_exchange.venue import Venue

MONEY_STEP = Decimal("0.00000001")
BNB_FEE_SHARE = Decimal("0.9")
"""Fees in BNB are a tenth cheaper."""


def fill(
    venue: Venue, account: Account, order: Order, quantity: Decimal, *, price: Decimal, is_maker: bool, now_ms: int
) -> None:
    """Trade `quantity` of the order at `price`: position, realised profit, fee, wallet, and the order's own figures."""
    if order.reduce_only:
        closable = account.closable(order.symbol, order.side, order.position_side)
        quantity = min(quantity, closable)
    if quantity <= 0:
        end_order(account, order, OrderStatus.EXPIRED, now_ms)
        return
    position = account.position(order.symbol, order.position_side)
    held_before = position.amount
    realized = _apply(position, order.side.sign * quantity, price).quantize(MONEY_STEP, ROUND_HALF_UP)
    position.updated_ms = now_ms
    if order.symbol in account.isolated_symbols:
        position.isolated_wallet = _isolated_wallet(position, held_before, price / account.leverage(order.symbol))
    rate = account.maker_fee if is_maker else account.taker_fee
    fee, fee_asset = _fee(venue, account, margin.margin_asset(order.symbol), quantity * price * rate)
    trade = Trade(
        trade_id=venue.next_trade_id(),
        order_id=order.order_id,
        symbol=order.symbol,
        side=order.side,
        position_side=order.position_side,
        price=price,
        quantity=quantity,
        fee=fee,
        fee_asset=fee_asset,
        is_maker=is_maker,
        realized_usdt=realized,
        time_ms=now_ms,
    )
    account.trades.append(trade)
    if realized:
        book_income(venue, account, IncomeType.REALIZED_PNL, realized, now_ms=now_ms, trade=trade)
    book_income(venue, account, IncomeType.COMMISSION, -fee, now_ms=now_ms, trade=trade, asset=fee_asset)
    order.executed += quantity
    order.executed_quote += quantity * price
    order.updated_ms = now_ms
    order.status = OrderStatus.PARTIALLY_FILLED if order.remaining else OrderStatus.FILLED
    if order.status is OrderStatus.FILLED:
        end_order(account, order, OrderStatus.FILLED, now_ms)
    elif order.reduce_only and not account.closable(order.symbol, order.side, order.position_side):
        end_order(account, order, OrderStatus.EXPIRED, now_ms)
    if held_before and position.amount * held_before <= 0:
        _expire_with_position(venue, account, position, was_long=held_before > 0, now_ms=now_ms)


def _fee(venue: Venue, account: Account, quote: str, fee_usdt: Decimal) -> tuple[Decimal, str]:
    """Return a fee and its asset: BNB if the account pays fees in it and holds enough."""
    if account.pays_fees_in_bnb:
        fee = (fee_usdt * BNB_FEE_SHARE / venue.quotes["BNBUSDT"].last).quantize(MONEY_STEP, ROUND_HALF_UP)
        if fee <= account.balances.get("BNB", ZERO):
            return fee, "BNB"
    return fee_usdt.quantize(MONEY_STEP, ROUND_HALF_UP), quote


def _apply(position: Position, change: Decimal, price: Decimal) -> Decimal:
    """Net the change into the position; return what it realised."""
    held = position.amount
    position.amount = held + change
    if held * change >= 0:
        position.entry_price = (abs(held) * position.entry_price + abs(change) * price) / abs(position.amount)
        return ZERO
    closed = min(abs(held), abs(change))
    realized = (price - position.entry_price) * closed * (1 if held > 0 else -1)
    if not position.amount:
        position.entry_price = ZERO
    elif held * position.amount < 0:
        position.entry_price = price
    return realized


def _isolated_wallet(position: Position, held_before: Decimal, margin_each: Decimal) -> Decimal:
    """Return what the position holds of the wallet: what is new adds its margin, what is gone releases its share."""
    held, before = abs(position.amount), abs(held_before)
    if position.amount * held_before <= 0:
        return held * margin_each
    if held > before:
        return position.isolated_wallet + (held - before) * margin_each
    return position.isolated_wallet * held / before


def _expire_with_position(venue: Venue, account: Account, position: Position, *, was_long: bool, now_ms: int) -> None:
    """End the orders of a closed position that the settings say end with it."""
    closing_side = Side.SELL if was_long else Side.BUY
    for algo in account.open_algos(position.symbol):
        if algo.side is not closing_side or algo.position_side is not position.position_side:
            continue
        if algo.time_in_force is TimeInForce.GTE_GTC:
            algo.status = AlgoStatus.EXPIRED
            algo.updated_ms = now_ms
            account.open_algo_ids.pop(algo.algo_id, None)
    if venue.settings.expire_reduce_only_when_flat:
        for order in account.open_orders(position.symbol):
            if order.reduce_only and order.side is closing_side:
                end_order(account, order, OrderStatus.EXPIRED, now_ms)


def end_order(account: Account, order: Order, status: OrderStatus, now_ms: int) -> None:
    """End the order, and with it the algo order that it came from."""
    order.status = status
    order.updated_ms = now_ms
    account.open_order_ids.pop(order.order_id, None)
    if order.algo_id is not None:
        algo = account.algos[order.algo_id]
        algo.status = AlgoStatus.FINISHED
        algo.updated_ms = now_ms


def cancel_order(account: Account, order: Order | None, now_ms: int) -> Order:
    """Cancel an open order; refuse any other."""
    if order is None or not order.status.is_open:
        raise Refusal(-2011)
    end_order(account, order, OrderStatus.CANCELED, now_ms)
    return order


def book_income(
    venue: Venue,
    account: Account,
    income_type: IncomeType,
    amount: Decimal,
    *,
    now_ms: int,
    trade: Trade | None = None,
    symbol: str = "",
    asset: str | None = None,
) -> None:
    """Change the futures wallet, and record the income; without an `asset` it is in the symbol's quote asset."""
    symbol = trade.symbol if trade is not None else symbol
    asset = margin.margin_asset(symbol) if asset is None else asset
    account.balances[asset] = account.balances.get(asset, ZERO) + amount
    account.incomes.append(
        Income(
            income_id=venue.next_income_id(),
            income_type=income_type,
            amount=amount,
            asset=asset,
            time_ms=now_ms,
            symbol=symbol,
            trade_id=trade.trade_id if trade is not None else None,
        )
    )
