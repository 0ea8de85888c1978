"""Days of a leader's account, against an example that is worked out by hand to the cent."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from functions.strategy_reporter.leader_days import leader_days
from shared.exchange.account_fills import AccountFill, AccountIncome, IncomeKind
from shared.trading.performance import performance_of
from shared.trading.sides import Side

PRICES = {"BNB/USDT": Decimal(250)}
_numbers = iter(range(1, 1000))


def fill(at: str, side: Side, amount: str, price: str, *, fee: str, pnl: str = "0", **values: Any) -> AccountFill:
    number = next(_numbers)
    usual: dict[str, Any] = {
        "trade_id": number,
        "order_id": f"order {number}",
        "venue_symbol": "BTCUSDT",
        "symbol": "BTC/USDT",
        "quote": "USDT",
        "side": side,
        "price": Decimal(price),
        "amount": Decimal(amount),
        "cost": Decimal(amount) * Decimal(price),
        "fee": Decimal(fee),
        "fee_currency": "USDT",
        "realized_pnl": Decimal(pnl),
        "at": datetime.fromisoformat(at).replace(tzinfo=UTC),
    }
    return AccountFill(**(usual | values))


def income(at: str, amount: str, kind: IncomeKind = IncomeKind.FUNDING) -> AccountIncome:
    return AccountIncome(
        kind=kind,
        transaction_id=str(next(_numbers)),
        venue_symbol="BTCUSDT",
        amount=Decimal(amount),
        asset="USDT",
        at=datetime.fromisoformat(at).replace(tzinfo=UTC),
    )


FILLS = [
    # Monday: long 0.5 at 20,000, sold by two fills of one order at 20,200 (+40 and +60); 0.04 % of each cost.
    fill("2022-09-05T08:00:00", Side.BUY, "0.5", "20000", fee="4.00"),
    fill("2022-09-05T15:59:58", Side.SELL, "0.2", "20200", fee="1.616", pnl="40", order_id="exit 1"),
    fill("2022-09-05T15:59:59", Side.SELL, "0.3", "20200", fee="2.424", pnl="60", order_id="exit 1"),
    # Tuesday: short 0.5 at 20,000, with the fee in BNB (0.016 BNB = 4.00).
    fill("2022-09-06T23:00:00", Side.SELL, "0.5", "20000", fee="0.016", fee_currency="BNB"),
    # Wednesday: stopped out at 20,100 (-50).
    fill("2022-09-07T03:00:00", Side.BUY, "0.5", "20100", fee="4.02", pnl="-50"),
    # Friday is today: only the balances before it may show it.
    fill("2022-09-09T01:00:00", Side.BUY, "0.1", "20000", fee="0.80"),
]
INCOMES = [income("2022-09-07T00:00:00", "1.25")]


def days_of_example(balance_now: Decimal | None = Decimal("10033.59")) -> Any:
    return leader_days(FILLS, INCOMES, prices=PRICES, balance_now=balance_now, before=date(2022, 9, 9))


def test_figures_equal_the_example_to_the_cent() -> None:
    monday, tuesday, wednesday = days_of_example()
    # 100 - 4.00 - 1.616 - 2.424
    assert (monday.day.date, monday.day.profit, monday.day.fee) == (date(2022, 9, 5), Decimal("91.96"), Decimal("8.04"))
    # An exit by two fills is one trade: 100 - 1.616 - 2.424.
    assert (monday.day.trades, monday.day.winning_trades, monday.day.won) == (1, 1, Decimal("95.96"))
    assert (tuesday.day.profit, tuesday.day.fee, tuesday.day.trades) == (-4, 4, 0)
    # -50 - 4.02 + 1.25
    assert (wednesday.day.profit, wednesday.day.fee, wednesday.funding) == (
        Decimal("-52.77"),
        Decimal("4.02"),
        Decimal("1.25"),
    )
    assert (wednesday.day.losing_trades, wednesday.day.lost) == (1, Decimal("54.02"))
    # Backwards from 10,033.59 + 0.80 of today.
    balances = [(one.day.opening_balance, one.day.closed_balance) for one in (monday, tuesday, wednesday)]
    assert balances == [
        (Decimal("9999.20"), Decimal("10091.16")),
        (Decimal("10091.16"), Decimal("10087.16")),
        (Decimal("10087.16"), Decimal("10034.39")),
    ]


def test_performance_of_the_days_is_that_of_the_example() -> None:
    found = performance_of(one.day for one in days_of_example())
    assert (found.total_profit, found.total_fee, found.trades) == (Decimal("35.19"), Decimal("16.06"), 2)
    assert (found.win_rate_pct, found.max_drawdown, found.closed_balance) == (
        Decimal(50),
        Decimal("56.77"),
        Decimal("10034.39"),
    )


def test_liquidation_fee_is_a_fee() -> None:
    (day,) = leader_days(
        [],
        [income("2022-09-05T00:00:01", "-7.5", IncomeKind.LIQUIDATION_FEE)],
        prices={},
        balance_now=Decimal(0),
        before=date(2022, 9, 6),
    )
    assert (day.day.profit, day.day.fee, day.funding) == (Decimal("-7.5"), Decimal("7.5"), Decimal(0))


def test_balances_of_an_unfinished_history_are_unknown() -> None:
    assert {(one.day.opening_balance, one.day.closed_balance) for one in days_of_example(None)} == {(None, None)}
