"""One notice of every kind, as tests need them."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from shared.clock import from_iso
from shared.notifications.notice_types import (
    AboveMaximum,
    AccountChange,
    AccountChanged,
    ClosedUserPays,
    EntryRefused,
    FollowersLeftOut,
    KeyRefused,
    MonthlyReport,
    NearMaximum,
    NoticeKind,
    NoticeValues,
    PaymentFailed,
    PlanChanged,
    PlanLapsed,
    PlanRestored,
    PositionClosed,
    PositionOpened,
    PositionReduced,
    Reply,
    ReportKeyRefused,
    StrategiesReport,
    TelegramLinked,
    TelegramReply,
    TelegramUnlinked,
    UnlinkCause,
    UserNearMaximum,
    UserPaysTwice,
    WeeklyReport,
)
from shared.notifications.report_values import ClosedTrade, DayResult, PeriodFigures, Share, StrategyWeek

AT = from_iso("2022-09-09T01:57:36.304Z")

OPENED = PositionOpened(
    strategy_name="STRATEGY #1",
    key_name="Default",
    symbol="BTC/USDT",
    long=True,
    amount=Decimal("0.536"),
    entry_price=Decimal("20000.00"),
    stop=Decimal(19700),
    take_profits=(Decimal(20300), Decimal(20600)),
    at=AT,
)
REDUCED = PositionReduced(
    strategy_name="STRATEGY #1",
    key_name="Default",
    symbol="BTC/USDT",
    long=True,
    amount=Decimal("0.536"),
    amount_left=Decimal("0.268"),
    at=AT,
)
CLOSED = PositionClosed(
    strategy_name="STRATEGY #1",
    key_name="Default",
    symbol="BTC/USDT",
    long=False,
    amount=Decimal("0.536"),
    entry_price=Decimal(20000),
    exit_price=Decimal("20300.5"),
    profit=Decimal("-161.268"),
    profit_pct=Decimal("-1.5043"),
    reason="The stop closed it.",
    at=AT,
)
REFUSED = EntryRefused(
    strategy_name="STRATEGY #1",
    key_name="Default",
    symbol="BTC/USDT",
    long=True,
    reason="The account holds a position that is not ours.",
    at=AT,
)
NEAR = NearMaximum(plan_name="STANDARD", balance_usd=Decimal("4600.5"), max_balance_usd=Decimal(5000))
FIGURES = PeriodFigures(
    first_day=date(2022, 9, 5),
    last_day=date(2022, 9, 11),
    profit=Decimal("1234.567"),
    profit_pct=Decimal("2.345"),
    fee=Decimal("12.3"),
    trades=7,
    winning_trades=4,
    losing_trades=3,
    win_rate_pct=Decimal("57.142857"),
    max_drawdown=Decimal("161.268"),
    max_drawdown_pct=Decimal("1.23456"),
    highest=Decimal("1300.5"),
    lowest=Decimal("-20.25"),
    balance=Decimal("54321.1"),
    best_day=DayResult(day=date(2022, 9, 8), profit=Decimal("800.1")),
    worst_day=DayResult(day=date(2022, 9, 7), profit=Decimal("-95.5")),
    strategies=Share(profit=Decimal(1000), fee=Decimal(10), trades=6, winning_trades=3),
    manual=Share(profit=Decimal("234.567"), fee=Decimal("2.3"), trades=1, winning_trades=1),
    latest=(
        ClosedTrade(
            strategy_name="STRATEGY #1",
            symbol="ETH/USDT",
            long=False,
            profit=Decimal("-31.4"),
            profit_pct=Decimal("-0.789"),
            closed_at=AT,
        ),
    ),
)

SAMPLES: dict[NoticeKind, NoticeValues] = {
    one.kind: one
    for one in (
        OPENED,
        REDUCED,
        CLOSED,
        REFUSED,
        KeyRefused(key_name="Default", at=AT),
        NEAR,
        UserNearMaximum(
            user_id="a12565e5-567b-432a-93b2-6349653010d9",
            user_name="John Doetwo",
            user_email="john@example.com",
            plan_name="STANDARD",
            balance_usd=Decimal("4600.5"),
            max_balance_usd=Decimal(5000),
            unpriced=("XYZ", "LDXYZ"),
        ),
        FollowersLeftOut(strategy_name="Momentum", symbol="BTC/USDT", long=True, reached=270, left_out=130, at=AT),
        AboveMaximum(plan_name="STANDARD", balance_usd=Decimal(5100), max_balance_usd=Decimal(5000)),
        PlanChanged(
            plan_name="LARGE",
            previous_plan_name="STANDARD",
            max_balance_usd=Decimal(50_000),
            max_api_key=10,
            strategy_automated=True,
            accounts_above_maximum=2,
            keys=12,
        ),
        PlanLapsed(plan_name="STANDARD"),
        PlanRestored(plan_name="STANDARD"),
        PaymentFailed(plan_name="STANDARD", amount=Decimal("40.00"), next_attempt_at=AT),
        UserPaysTwice(user_id="8a7b", user_email="john@example.com", subscription_ids=("sub_1", "sub_2")),
        ClosedUserPays(user_id="8a7b", user_email="john@example.com", subscription_ids=("sub_1",)),
        WeeklyReport(figures=FIGURES),
        MonthlyReport(figures=FIGURES),
        StrategiesReport(
            first_day=date(2022, 9, 5),
            last_day=date(2022, 9, 11),
            weeks=(
                StrategyWeek(
                    strategy_name="STRATEGY #1",
                    leader_profit=Decimal("184.20"),
                    leader_pct=Decimal("1.842"),
                    followers_pct=Decimal("1.5"),
                    asked=12,
                    reached=11,
                    slippage_pct=Decimal("0.0123"),
                ),
            ),
            more=2,
        ),
        ReportKeyRefused(strategy_id="8a7b", strategy_name="STRATEGY #1", at=AT),
        TelegramLinked(at=AT),
        TelegramUnlinked(why=UnlinkCause.BLOCKED),
        AccountChanged(what=AccountChange.KEY_CONNECTED, name="Default", at=AT),
        TelegramReply(reply=Reply.NOT_LINKED),
    )
}
