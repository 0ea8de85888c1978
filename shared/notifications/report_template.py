"""The text of the reports: a few lines for a message, a letter for an e-mail. Lays nothing out."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from shared.notifications.formatting import (
    assets,
    day_text,
    days_text,
    moment_text,
    money,
    rounded,
    short,
    side,
    signed,
    signed_money,
)
from shared.notifications.notice_text import Fact, Letter, NoticeText, Row, Section, Tone
from shared.notifications.report_values import ASSET, ClosedTrade, DayResult, PeriodFigures, Share

EQUITY_IMAGE: Final = "equity"
"""The name of a report's equity curve."""


_HOW_TRADES_COUNT: Final = (
    "Trades count on the day (UTC) on which they were closed. Money that you moved in or out is not profit. The "
    "deepest fall is the largest drop below a high of the period."
)


def report_text(figures: PeriodFigures, *, noun: str) -> NoticeText:
    """Return the text of a report; `noun` is `week` or `month`."""
    result = signed_money(figures.profit, ASSET)
    lines = [
        Fact("Period", f"{days_text(figures.first_day, figures.last_day)} (UTC)"),
        Fact("Result after fees", f"{result}{_percent(figures.profit_pct)}"),
        Fact("Trades", f"{figures.trades} ({figures.winning_trades} won, {figures.losing_trades} lost)"),
        Fact("Deepest fall", _fall(figures)),
    ]
    if figures.balance is not None:
        lines.append(Fact("Balance", money(figures.balance, ASSET)))
    return NoticeText(
        f"Your {noun}: {result}", tuple(lines), image=EQUITY_IMAGE, letter=_letter(figures, noun=noun, result=result)
    )


def _letter(figures: PeriodFigures, *, noun: str, result: str) -> Letter:
    rate = figures.win_rate_pct
    remark = "after fees" if figures.profit_pct is None else f"{signed(figures.profit_pct)} % after fees"
    return Letter(
        heading=f"Your {noun}",
        subheading=days_text(figures.first_day, figures.last_day),
        result=result,
        tone=_tone(figures.profit),
        remark=remark,
        image_text=(
            f"Profit over the {noun}, day by day: it ends at {result}, "
            f"with a high of {signed_money(figures.highest, ASSET)} and a low of {signed_money(figures.lowest, ASSET)}."
        ),
        figures=(
            Row("Trades", str(figures.trades), f"{figures.winning_trades} won, {figures.losing_trades} lost"),
            Row("Win rate", "–" if rate is None else f"{rounded(rate)} %", "after fees"),
            Row("Fees", money(figures.fee, ASSET), "paid to the exchange"),
            Row("Deepest fall", money(figures.max_drawdown, ASSET), _below(figures)),
        ),
        sections=tuple(_sections(figures)),
        closing=(
            _HOW_TRADES_COUNT,
            f"You get this report because trades of yours were closed in that {noun}.",
        ),
    )


def _sections(figures: PeriodFigures) -> list[Section]:
    parts = [("Strategies", figures.strategies), ("Your own trades", figures.manual)]
    sections = [Section("Where it came from", tuple(_share(label, share) for label, share in parts if share.trades))]
    days = [_day("Best day", figures.best_day)]
    if figures.worst_day.day != figures.best_day.day:
        days.append(_day("Worst day", figures.worst_day))
    if figures.balance is not None:
        days.append(Row("Balance", money(figures.balance, ASSET), "after the last trade"))
    sections.append(Section("Days and balance", tuple(days)))
    if figures.latest:
        sections.append(Section("Latest strategy trades", tuple(map(_trade, figures.latest))))
    return sections


def _share(label: str, share: Share) -> Row:
    trades = f"{share.trades} {'trade' if share.trades == 1 else 'trades'}, {share.winning_trades} won"
    return Row(label, signed_money(share.profit, ASSET), trades, _tone(share.profit))


def _day(label: str, result: DayResult) -> Row:
    return Row(label, signed_money(result.profit, ASSET), day_text(result.day), _tone(result.profit))


def _trade(trade: ClosedTrade) -> Row:
    asset = assets(trade.symbol)[1] or ASSET
    what = f"{short(trade.symbol)} {side(long=trade.long)}"
    share = "" if trade.profit_pct is None else f"{signed(trade.profit_pct)} %"
    detail = " · ".join(part for part in (share, moment_text(trade.closed_at), short(trade.strategy_name)) if part)
    return Row(what, signed_money(trade.profit, asset), detail, _tone(trade.profit))


def _fall(figures: PeriodFigures) -> str:
    share = "" if figures.max_drawdown_pct is None else f" ({rounded(figures.max_drawdown_pct)} %)"
    return f"{money(figures.max_drawdown, ASSET)}{share}"


def _below(figures: PeriodFigures) -> str:
    return "" if figures.max_drawdown_pct is None else f"{rounded(figures.max_drawdown_pct)} % of the account"


def _percent(value: Decimal | None) -> str:
    return "" if value is None else f" ({signed(value)} %)"


def _tone(value: Decimal) -> Tone:
    if value > 0:
        return Tone.GAIN
    return Tone.LOSS if value < 0 else Tone.PLAIN
