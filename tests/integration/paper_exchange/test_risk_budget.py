"""Whatever the book: an entry that our rules size and bound loses its budget at most, fees of both ways included.

So does an entry of two orders, the second of which is for what the first has left unfilled.

The exchange's own trades are counted: its prices, amounts and fees.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from local.paper_exchange import books, fills, filters, matching, price_moves
from local.paper_exchange.accounts import Account
from local.paper_exchange.orders import IncomeType, OrderType, TimeInForce
from local.paper_exchange.orders import Side as VenueSide
from local.paper_exchange.venue import Book, Level, Venue
from shared.errors import OrderDenied
from shared.trading.entry_price import MarketPrices
from shared.trading.filters import SymbolFilters
from shared.trading.order_planning import stop_prices
from shared.trading.sides import Side, StopType
from shared.trading.signal import Signal
from shared.trading.sizing import AccountState, OpenedPart, SizedOrder, SizingRules, size_order

BTC = "BTCUSDT"
EQUITY = Decimal(10_000)
LATER_MS = 5


@dataclass(frozen=True)
class Case:
    """A book, a signal, an account's fee, and how far the market moves while the order is on its way."""

    side: Side
    stop_type: StopType
    stop_share: Decimal
    order_price_ticks: int
    levels: list[tuple[int, int]]
    taker_rate: Decimal
    risk_pct: Decimal
    moves_ticks: int
    moves_again_ticks: int = 0
    """Between the first order and the second."""


cases = st.builds(
    Case,
    side=st.sampled_from(Side),
    stop_type=st.sampled_from(StopType),
    stop_share=st.sampled_from([Decimal(share) / 1000 for share in (1, 2, 3, 5, 10, 30)]),
    order_price_ticks=st.integers(-60, 60),
    levels=st.lists(st.tuples(st.integers(0, 150), st.integers(1, 800)), min_size=1, max_size=8),
    taker_rate=st.sampled_from([Decimal(rate) for rate in ("0.0001", "0.0004", "0.0005", "0.001")]),
    risk_pct=st.sampled_from([Decimal(pct) for pct in ("0.3", "1.5", "3", "10")]),
    moves_ticks=st.integers(-150, 150),
    moves_again_ticks=st.integers(-150, 150),
)


def open_venue(case: Case) -> tuple[Venue, Account]:
    venue = Venue()
    levels = [(ticks, Decimal(steps) / 1000) for ticks, steps in case.levels]
    venue.books[BTC] = Book(bids=[Level(*level) for level in levels], asks=[Level(*level) for level in levels])
    account = Account("key", "secret", 0)
    account.taker_fee = case.taker_rate
    venue.accounts["key"] = account
    fills.book_income(venue, account, IncomeType.TRANSFER, EQUITY, now_ms=0)
    return venue, account


def signal_of(case: Case, venue: Venue) -> Signal:
    order_price = venue.quotes[BTC].last + case.order_price_ticks * filters.find_symbol(venue, BTC).tick
    return Signal(
        side=case.side,
        order_price=order_price,
        stop=order_price * (1 - case.side.sign * case.stop_share),
        stop_type=case.stop_type,
        take_profits=(),
    )


def limits_of(venue: Venue) -> SymbolFilters:
    symbol = filters.find_symbol(venue, BTC)
    return SymbolFilters(
        symbol="BTC/USDT",
        tick_size=symbol.tick,
        step_size=symbol.step,
        min_amount=symbol.min_amount,
        max_amount=symbol.max_amount,
        market_step_size=symbol.step,
        market_min_amount=symbol.min_amount,
        market_max_amount=symbol.max_market_amount,
        min_notional=symbol.min_notional_usdt,
        price_min=symbol.min_price,
        price_max=symbol.max_price,
    )


def size(
    case: Case, venue: Venue, signal: Signal, *, at_ms: int = 0, opened: OpenedPart | None = None
) -> SizedOrder | None:
    depth = books.depth(venue, BTC, at_ms)
    try:
        return size_order(
            signal=signal,
            account=AccountState(
                wallet_balance=EQUITY,
                margin_balance=EQUITY,
                available_margin=EQUITY,
                leverage=Decimal(20),
                bracket_notional_cap=Decimal(1_000_000),
                maintenance_margin_rate=Decimal("0.004"),
            ),
            filters=limits_of(venue),
            rules=SizingRules(
                risk_pct=case.risk_pct,
                taker_rate=case.taker_rate,
                allowance_pct=Decimal("0.05"),
                max_effective_leverage=Decimal(10),
            ),
            prices=MarketPrices(
                last=venue.quotes[BTC].last,
                bid=depth.bids[0][0] if depth.bids else Decimal(0),
                ask=depth.asks[0][0] if depth.asks else Decimal(0),
            ),
            opened=opened,
        )
    except OrderDenied as denied:
        event(denied.reason)
        return None


def enter(venue: Venue, account: Account, case: Case, sized: SizedOrder, *, at_ms: int = LATER_MS) -> None:
    order = matching.NewOrder(
        symbol=BTC,
        side=VenueSide(case.side.value),
        order_type=OrderType.LIMIT,
        quantity=sized.amount,
        price=sized.bound,
        time_in_force=TimeInForce.IOC,
    )
    matching.place_order(venue, account, order, at_ms)


def filled_of(account: Account) -> Decimal:
    return sum((trade.quantity for trade in account.trades), Decimal(0))


def assert_within_budget(case: Case, account: Account, signal: Signal, limits: SymbolFilters) -> None:
    stop = stop_prices(signal, filters=limits).last
    moved = sum((trade.quantity * (trade.price - stop) * case.side.sign for trade in account.trades), Decimal(0))
    paid = sum((trade.fee for trade in account.trades), Decimal(0))
    # What leaves at the stop's own price pays the taker's fee there.
    loss = moved + paid + filled_of(account) * stop * account.taker_fee
    # The exchange rounds the fee of each trade to its eighth decimal.
    assert loss <= EQUITY * case.risk_pct / 100 + len(account.trades) * fills.MONEY_STEP


@settings(max_examples=400, deadline=None)
@given(cases)
def test_loss_at_the_stop_is_within_the_budget_whatever_the_book(case: Case) -> None:
    venue, account = open_venue(case)
    signal, limits = signal_of(case, venue), limits_of(venue)
    sized = size(case, venue, signal)
    if sized is None:
        return
    price_moves.move_price(venue, BTC, venue.quotes[BTC].last + case.moves_ticks * limits.tick_size, LATER_MS)

    enter(venue, account, case, sized)

    filled = filled_of(account)
    event("whole" if filled == sized.amount else "part" if filled else "nothing")
    assert filled <= sized.amount
    assert_within_budget(case, account, signal, limits)
    assert not account.open_orders(BTC)

    if filled == sized.amount:
        return
    again_ms = 2 * LATER_MS
    price_moves.move_price(venue, BTC, venue.quotes[BTC].last + case.moves_again_ticks * limits.tick_size, again_ms)
    opened = None
    if filled:
        average = sum((trade.quantity * trade.price for trade in account.trades), Decimal(0)) / filled
        opened = OpenedPart(amount=filled, price=average, unfilled=sized.amount - filled)
    second = size(case, venue, signal, at_ms=again_ms, opened=opened)
    if second is None:
        return
    enter(venue, account, case, second, at_ms=again_ms)
    event("second: more" if filled_of(account) > filled else "second: nothing")
    assert filled_of(account) <= filled + second.amount
    assert_within_budget(case, account, signal, limits)


@pytest.mark.parametrize("side", list(Side))
def test_order_that_pays_whatever_the_book_asks_would_break_the_budget(side: Side) -> None:
    case = Case(
        side=side,
        stop_type=StopType.MARKET,
        stop_share=Decimal("0.003"),
        order_price_ticks=0,
        levels=[(1, 10), (150, 800), (400, 800)],
        taker_rate=Decimal("0.0004"),
        risk_pct=Decimal("1.5"),
        moves_ticks=0,
    )
    venue, account = open_venue(case)
    signal, limits = signal_of(case, venue), limits_of(venue)
    sized = size(case, venue, signal)
    assert sized is not None

    at_market = matching.NewOrder(
        symbol=BTC, side=VenueSide(side.value), order_type=OrderType.MARKET, quantity=sized.amount
    )
    matching.place_order(venue, account, at_market, LATER_MS)

    stop = stop_prices(signal, filters=limits).last
    moved = sum((trade.quantity * (trade.price - stop) * side.sign for trade in account.trades), Decimal(0))
    paid = sum((trade.fee for trade in account.trades), Decimal(0))
    assert moved + paid * 2 > EQUITY * case.risk_pct / 100
