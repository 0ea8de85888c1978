"""Moves a price, and fills, triggers and liquidates what it crosses, nearest first. Pure."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from functools import partial

from local.paper_exchange import algos, books, fills, filters, margin, matching, settlement, spot
from local.paper_exchange.accounts import Account
from local.paper_exchange.candles import PriceHistory
from local.paper_exchange.orders import (
    ZERO,
    IncomeType,
    Order,
    OrderStatus,
    OrderType,
    Position,
)
from local.paper_exchange.venue import Quote, Venue


def move_price(venue: Venue, name: str, last: Decimal, now_ms: int, *, mark: Decimal | None = None) -> None:
    """Set the symbol's prices (the mark follows the last unless given) and apply them to every account."""
    filters.find_symbol(venue, name)
    before = venue.quotes[name]
    quote = venue.quotes[name] = Quote(last, last if mark is None else mark)
    venue.last_prices.setdefault(name, PriceHistory()).record(before.last, quote.last, now_ms)
    venue.mark_prices.setdefault(name, PriceHistory()).record(before.mark, quote.mark, now_ms)
    if last != before.last:
        books.refill(venue, name)
    for account in venue.accounts.values():
        _sweep(venue, account, name, before.last, now_ms)
        spot.sweep(venue, account, name, now_ms)
        # A stop may have closed the position at a loss beyond the wallet.
        asset = margin.margin_asset(name)
        if account.held_positions(name) or account.balances.get(asset, ZERO) < 0:
            liquidate_if_due(venue, account, asset, now_ms)


def _sweep(venue: Venue, account: Account, name: str, from_price: Decimal, now_ms: int) -> None:
    """Fill and trigger what was crossed, nearest to the old price first."""
    quote = venue.quotes[name]
    for algo in account.open_algos(name):
        algos.follow_price(algo, quote)
    # In a book, an order between the best prices waits until the market trades there.
    traded = name not in venue.books or quote.last != from_price
    while crossed := _crossed(venue, account, name, now_ms, traded=traded):
        _, run = min(crossed, key=lambda event: abs(event[0] - from_price))
        run()


def _crossed(
    venue: Venue, account: Account, name: str, now_ms: int, *, traded: bool
) -> list[tuple[Decimal, Callable[[], None]]]:
    """Return (level, action) for each open order that the present price has reached."""
    quote = venue.quotes[name]
    events: list[tuple[Decimal, Callable[[], None]]] = [
        (order.price, partial(_fill_resting, venue, account, order, now_ms))
        for order in account.open_orders(name)
        if traded and matching.crosses(order.side, order.price, quote.last)
    ]
    for algo in account.open_algos(name):
        level = algos.trigger_level(algo)
        if level is not None and algos.is_triggered(algo, quote):
            events.append((level, partial(algos.trigger, venue, account, algo, now_ms)))
    return events


def _fill_resting(venue: Venue, account: Account, order: Order, now_ms: int) -> None:
    fills.fill(venue, account, order, order.remaining, price=order.price, is_maker=True, now_ms=now_ms)


def liquidate_if_due(venue: Venue, account: Account, asset: str, now_ms: int) -> None:
    """Liquidate each isolated position below its maintenance, and those that share the wallet if it is below theirs.

    The margin of these positions is in `asset`.
    """
    held = [position for position in account.held_positions() if margin.margin_asset(position.symbol) == asset]
    for position in held:
        if position.symbol in account.isolated_symbols:
            _liquidate_isolated_if_due(venue, account, position, now_ms)
    summary = margin.summarise(venue, account, asset)
    if summary.cross_balance >= summary.cross_maintenance:
        return
    for order in account.open_orders():
        if order.symbol not in account.isolated_symbols and margin.margin_asset(order.symbol) == asset:
            fills.end_order(account, order, OrderStatus.EXPIRED, now_ms)
    for position in held:
        if position.symbol not in account.isolated_symbols:
            at_stake = margin.summarise(venue, account, asset).cross_wallet
            _liquidate(venue, account, position, now_ms, at_stake=at_stake)
    # The insurance fund covers what the account cannot pay.
    _cover(venue, account, -margin.summarise(venue, account, asset).cross_wallet, asset, now_ms)


def _liquidate_isolated_if_due(venue: Venue, account: Account, position: Position, now_ms: int) -> None:
    """Liquidate an isolated position below its maintenance; it loses no more than it holds of the wallet."""
    if margin.isolated_balance(venue, position) >= margin.maintenance(venue, position):
        return
    for order in account.open_orders(position.symbol):
        fills.end_order(account, order, OrderStatus.EXPIRED, now_ms)
    asset, at_stake = margin.margin_asset(position.symbol), position.isolated_wallet
    before = account.balances.get(asset, ZERO)
    _liquidate(venue, account, position, now_ms, at_stake=at_stake)
    lost = before - account.balances.get(asset, ZERO)
    _cover(venue, account, (lost - at_stake).quantize(fills.MONEY_STEP), asset, now_ms)


def _liquidate(venue: Venue, account: Account, position: Position, now_ms: int, *, at_stake: Decimal) -> None:
    """Close the position at the mark price; its fee is no more than what is left of the wallet `at_stake`."""
    notional = abs(position.amount) * venue.quotes[position.symbol].mark
    asset = margin.margin_asset(position.symbol)
    before = account.balances.get(asset, ZERO)
    settlement.close_at_mark(
        venue,
        account,
        position,
        client_id=f"autoclose-{now_ms}{venue.next_client_id()[-6:]}",
        now_ms=now_ms,
        original_type=OrderType.LIQUIDATION,
    )
    left = at_stake - before + account.balances.get(asset, ZERO)
    due = (notional * venue.settings.liquidation_fee_bps / 10_000).quantize(fills.MONEY_STEP)
    fee = min(due, max(ZERO, left))
    if fee:  # part of no fill
        fills.book_income(venue, account, IncomeType.INSURANCE_CLEAR, -fee, now_ms=now_ms, symbol=position.symbol)


def _cover(venue: Venue, account: Account, shortfall: Decimal, asset: str, now_ms: int) -> None:
    if shortfall > 0:
        fills.book_income(venue, account, IncomeType.INSURANCE_CLEAR, shortfall, now_ms=now_ms, asset=asset)


def book_due_funding(venue: Venue, now_ms: int) -> None:
    """Book the funding payments whose hour has come, each at its own time."""
    for name, funding in venue.funding.items():
        while funding.next_ms <= now_ms:
            book_funding(venue, name, funding.rate, funding.next_ms)
            funding.next_ms += funding.interval_ms


def book_funding(venue: Venue, name: str, rate: Decimal, now_ms: int, *, special: bool = False) -> None:
    """Book one funding payment on every position of the symbol: longs pay a positive rate, shorts receive it.

    `special`, it stands for a dividend of the stock that the contract is on.
    """
    income_type = IncomeType.SPECIAL_FUNDING_FEE if special else IncomeType.FUNDING_FEE
    filters.find_symbol(venue, name)
    mark = venue.quotes[name].mark
    for account in venue.accounts.values():
        for position in account.held_positions(name):
            amount = (-position.amount * mark * rate).quantize(fills.MONEY_STEP)
            fills.book_income(venue, account, income_type, amount, now_ms=now_ms, symbol=name)
