"""Invariants of the engine: money adds up, reduce-only orders reduce, lists of open orders are right."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from local.paper_exchange import algos, fills, margin, matching, price_moves, state
from local.paper_exchange.accounts import Account
from local.paper_exchange.orders import AlgoStatus, IncomeType, OrderType, PositionSide, Side, TimeInForce, Wallet
from local.paper_exchange.refusals import Refusal
from local.paper_exchange.venue import Book, Level, Venue

BTC = "BTCUSDT"
# Small enough for the price moves below to liquidate.
DEPOSIT = Decimal(1_000)


@dataclass(frozen=True)
class Placing:
    order: matching.NewOrder


@dataclass(frozen=True)
class Waiting:
    order: algos.NewAlgo


@dataclass(frozen=True)
class Moving:
    price: Decimal


@dataclass(frozen=True)
class Cancelling:
    index: int


amounts = st.integers(1, 800).map(lambda steps: Decimal(steps) / 1000)
prices = st.integers(1_800, 2_200).map(lambda tens: Decimal(tens) * 10)
sides = st.sampled_from(Side)

placings = st.builds(
    Placing,
    st.one_of(
        st.builds(
            matching.NewOrder,
            symbol=st.just(BTC),
            side=sides,
            order_type=st.just(OrderType.MARKET),
            quantity=amounts,
            reduce_only=st.booleans(),
            fills_part=st.booleans(),
        ),
        st.builds(
            matching.NewOrder,
            symbol=st.just(BTC),
            side=sides,
            order_type=st.just(OrderType.LIMIT),
            quantity=amounts,
            price=prices,
            time_in_force=st.sampled_from([TimeInForce.GTC, TimeInForce.IOC]),
            reduce_only=st.booleans(),
            fills_part=st.booleans(),
        ),
    ),
)
waitings = st.builds(
    Waiting,
    st.one_of(
        st.builds(
            algos.NewAlgo,
            symbol=st.just(BTC),
            side=sides,
            order_type=st.sampled_from([OrderType.STOP_MARKET, OrderType.TAKE_PROFIT_MARKET]),
            trigger_price=prices,
            close_position=st.just(True),
        ),
        st.builds(
            algos.NewAlgo,
            symbol=st.just(BTC),
            side=sides,
            order_type=st.sampled_from([OrderType.STOP, OrderType.TAKE_PROFIT]),
            quantity=amounts,
            price=prices,
            trigger_price=prices,
            reduce_only=st.booleans(),
        ),
        st.builds(
            algos.NewAlgo,
            symbol=st.just(BTC),
            side=sides,
            order_type=st.just(OrderType.TRAILING_STOP_MARKET),
            quantity=amounts,
            callback_rate_pct=st.sampled_from([Decimal("0.1"), Decimal(1), Decimal(5)]),
            reduce_only=st.just(True),
        ),
    ),
)
movings = prices.map(Moving)
actions = st.one_of(placings, waitings, movings, movings, st.integers(0, 5).map(Cancelling))
entries = st.builds(
    Placing,
    st.builds(
        matching.NewOrder, symbol=st.just(BTC), side=sides, order_type=st.just(OrderType.MARKET), quantity=amounts
    ),
)
histories = st.builds(lambda entry, rest: [entry, *rest], entries, st.lists(actions, max_size=20))


def open_account(venue: Venue, *, isolated: bool = False) -> Account:
    account = Account("key", "secret", 0, isolated_symbols={BTC} if isolated else set())
    venue.accounts["key"] = account
    fills.book_income(venue, account, IncomeType.TRANSFER, DEPOSIT, now_ms=0)
    return account


def act(venue: Venue, account: Account, action: Placing | Waiting | Moving | Cancelling, now_ms: int) -> None:
    """Apply an action, and ignore its refusal."""
    try:
        match action:
            case Placing(order):
                matching.place_order(venue, account, order, now_ms)
            case Waiting(order):
                algos.place_algo(venue, account, order, now_ms)
            case Moving(price):
                price_moves.move_price(venue, BTC, price, now_ms)
            case Cancelling(index):
                standing = account.open_orders()
                fills.cancel_order(account, standing[index] if index < len(standing) else None, now_ms)
    except Refusal:
        return


def assert_books_balance(account: Account) -> None:
    trades = account.trades
    realized = sum((trade.realized_usdt for trade in trades), Decimal(0))
    fees = sum((trade.fee for trade in trades), Decimal(0))
    insured = sum((i.amount for i in account.incomes if i.income_type is IncomeType.INSURANCE_CLEAR), Decimal(0))
    assert account.balances["USDT"] == DEPOSIT + realized - fees + insured
    assert account.balances["USDT"] == sum((income.amount for income in account.incomes), Decimal(0))
    held = sum((trade.quantity * trade.side.sign for trade in trades), Decimal(0))
    assert account.position(BTC).amount == held


def assert_open_lists_are_right(account: Account) -> None:
    assert set(account.open_order_ids) == {o.order_id for o in account.orders.values() if o.status.is_open}
    assert set(account.open_algo_ids) == {a.algo_id for a in account.algos.values() if a.status is AlgoStatus.NEW}
    for order in account.orders.values():
        filled = sum((t.quantity for t in account.trades if t.order_id == order.order_id), Decimal(0))
        assert order.executed == filled <= order.quantity
        if order.algo_id is not None:
            resting = account.algos[order.algo_id].status is AlgoStatus.TRIGGERED
            assert resting == order.status.is_open


def assert_reducers_only_reduced(account: Account) -> None:
    held = Decimal(0)
    for trade in account.trades:
        after = held + trade.quantity * trade.side.sign
        if account.orders[trade.order_id].reduce_only:
            assert abs(after) < abs(held)
            assert after * held >= 0
        held = after


@given(histories, st.booleans())
@settings(max_examples=150, deadline=None)
def test_books_balance_whatever_happens(steps: list[Placing | Waiting | Moving | Cancelling], isolated: bool) -> None:
    venue = Venue()
    account = open_account(venue, isolated=isolated)
    for now_ms, step in enumerate(steps, start=1):
        act(venue, account, step, now_ms)
        assert_books_balance(account)
        assert_open_lists_are_right(account)
        assert_reducers_only_reduced(account)


@given(histories)
@settings(max_examples=100, deadline=None)
def test_profit_of_a_closed_account_is_what_its_fills_earned(
    steps: list[Placing | Waiting | Moving | Cancelling],
) -> None:
    venue = Venue()
    account = open_account(venue)
    for now_ms, step in enumerate(steps, start=1):
        act(venue, account, step, now_ms)
    amount = account.position(BTC).amount
    if amount:
        side = Side.SELL if amount > 0 else Side.BUY
        order = matching.NewOrder(BTC, side, OrderType.MARKET, abs(amount), reduce_only=True)
        matching.place_order(venue, account, order, 999)
    assert not account.position(BTC).amount
    cash = sum((-trade.side.sign * trade.quantity * trade.price for trade in account.trades), Decimal(0))
    realized = sum((trade.realized_usdt for trade in account.trades), Decimal(0))
    # Each fill's profit is rounded to eight digits.
    assert abs(cash - realized) <= Decimal("0.00000001") * (len(account.trades) + 1)


@given(histories, st.booleans())
@settings(max_examples=100, deadline=None)
def test_account_is_never_below_maintenance_after_a_price_move(
    steps: list[Placing | Waiting | Moving | Cancelling], isolated: bool
) -> None:
    venue = Venue()
    account = open_account(venue, isolated=isolated)
    for now_ms, step in enumerate(steps, start=1):
        act(venue, account, step, now_ms)
        if isinstance(step, Moving):
            summary = margin.summarise(venue, account)
            assert summary.cross_balance >= summary.cross_maintenance
            for position in account.held_positions():
                if position.symbol in account.isolated_symbols:
                    assert margin.isolated_balance(venue, position) >= margin.maintenance(venue, position)


@given(histories)
@settings(max_examples=100, deadline=None)
def test_isolated_position_holds_of_the_wallet_what_its_own_size_needs(
    steps: list[Placing | Waiting | Moving | Cancelling],
) -> None:
    venue = Venue()
    account = open_account(venue, isolated=True)
    for now_ms, step in enumerate(steps, start=1):
        act(venue, account, step, now_ms)
        position = account.position(BTC)
        at_entry = abs(position.amount) * position.entry_price / account.leverage(BTC)
        assert abs(position.isolated_wallet - at_entry) < Decimal("0.000001")


@given(histories)
@settings(max_examples=50, deadline=None)
def test_nothing_is_lost_when_written_and_read_back(steps: list[Placing | Waiting | Moving | Cancelling]) -> None:
    venue = Venue()
    account = open_account(venue)
    for now_ms, step in enumerate(steps, start=1):
        act(venue, account, step, now_ms)
    assert state.decode(Venue, state.encode(venue)) == venue


@given(entry=amounts, fall=st.integers(1, 9_000))
@settings(max_examples=100, deadline=None)
def test_closing_stop_always_leaves_the_account_flat(entry: Decimal, fall: int) -> None:
    venue = Venue()
    account = open_account(venue)
    act(venue, account, Placing(matching.NewOrder(BTC, Side.BUY, OrderType.MARKET, entry)), 1)
    stop = algos.NewAlgo(BTC, Side.SELL, OrderType.STOP_MARKET, trigger_price=Decimal(19_999), close_position=True)
    algos.place_algo(venue, account, stop, 2)
    price_moves.move_price(venue, BTC, Decimal(20_000 - fall), 3)
    assert account.closable(BTC, Side.SELL, PositionSide.BOTH) == 0
    assert account.open_orders(wallet=Wallet.FUTURES) == []


@given(st.lists(st.tuples(st.booleans(), placings), min_size=1, max_size=25))
@settings(max_examples=150, deadline=None)
def test_what_accounts_hold_is_what_they_took_from_the_book(steps: list[tuple[bool, Placing]]) -> None:
    venue = Venue()
    sizes = [(1, "0.3"), (3, "1"), (500, "2")]
    bids, asks = ([Level(ticks, Decimal(amount)) for ticks, amount in sizes] for _ in range(2))
    book = venue.books[BTC] = Book(bids, asks, refill_ms=10**9)
    accounts = [Account("first", "secret", 0), Account("second", "secret", 0)]
    for account in accounts:
        venue.accounts[account.api_key] = account
        fills.book_income(venue, account, IncomeType.TRANSFER, DEPOSIT, now_ms=0)
    for now_ms, (is_first, step) in enumerate(steps, start=1):
        whole = dataclasses.replace(step.order, fills_part=False)
        act(venue, accounts[not is_first], Placing(whole), now_ms)
        bought = sum((level.eaten for level in book.asks), Decimal(0))
        sold = sum((level.eaten for level in book.bids), Decimal(0))
        # Whatever one account bought of the other, the other sold to it.
        assert sum((account.position(BTC).amount for account in accounts), Decimal(0)) == bought - sold
        assert all(level.eaten <= level.amount for level in (*book.bids, *book.asks))
        for account in accounts:
            assert_books_balance(account)
            assert_open_lists_are_right(account)
            for trade in account.trades:
                order = account.orders[trade.order_id]
                is_limit = order.order_type is OrderType.LIMIT
                assert not is_limit or (order.price - trade.price) * trade.side.sign >= 0
            at_once = [order for order in account.open_orders() if order.time_in_force is TimeInForce.IOC]
            assert at_once == []
