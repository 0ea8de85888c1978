"""A report's e-mail: the figures with their units, as text and as HTML, with any names in it."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date
from decimal import Decimal
from html import unescape

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.notifications.formatting import days_text
from shared.notifications.notice_types import MonthlyReport, NoticeKind, WeeklyReport
from shared.notifications.rendering import mail, telegram_text
from shared.notifications.report_values import PeriodFigures, Share
from shared.notifications.templates import text_of
from tests.unit.notifications.samples import FIGURES, SAMPLES
from tests.unit.notifications.test_templates import read

NOBODYS = Share(profit=Decimal(0), fee=Decimal(0), trades=0, winning_trades=0)


def mail_text(figures: PeriodFigures) -> str:
    return mail(text_of(WeeklyReport(figures=figures))).text


def html_of(figures: PeriodFigures) -> str:
    return mail(text_of(WeeklyReport(figures=figures)), images=["equity"]).html


def seen(html: str) -> str:
    """Return what a page shows, on one line."""
    body = html.split("<body", 1)[1]
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", f"<body{body}")).split())


@pytest.mark.parametrize(
    "line",
    [
        "5–11 September 2022",
        "+1,234.57 USDT, +2.34 % after fees",
        "Trades: 7 (4 won, 3 lost)",
        "Win rate: 57.14 % (after fees)",
        "Fees: 12.30 USDT (paid to the exchange)",
        "Deepest fall: 161.27 USDT (1.23 % of the account)",
        "Strategies: +1,000.00 USDT (6 trades, 3 won)",
        "Your own trades: +234.57 USDT (1 trade, 1 won)",
        "Best day: +800.10 USDT (Thursday, 8 September)",
        "Worst day: -95.50 USDT (Wednesday, 7 September)",
        "Balance: 54,321.10 USDT (after the last trade)",
        "ETH/USDT short: -31.40 USDT (-0.79 % · 9 Sep 01:57 UTC · STRATEGY #1)",
    ],
)
def test_email_gives_every_figure_with_its_unit(line: str) -> None:
    assert line in mail_text(FIGURES).splitlines()


def test_html_and_text_say_the_same() -> None:
    page = seen(html_of(FIGURES))
    shown = [line for line in mail_text(FIGURES).splitlines() if line and set(line) != {"-"}]
    for line in shown:
        for part in re.split(r": | \(|\)$|, (?=\+2.34)", line):
            if not part.startswith(("Profit over", "it ends")):
                assert part in page, part


def test_image_has_an_alternative_text() -> None:
    description = (
        "Profit over the week, day by day: it ends at +1,234.57 USDT, "
        "with a high of +1,300.50 USDT and a low of -20.25 USDT."
    )
    assert description in mail_text(FIGURES)
    assert f'<img src="cid:equity" alt="{description}"' in html_of(FIGURES)
    assert "<img" not in mail(text_of(WeeklyReport(figures=FIGURES))).html


def test_email_says_how_to_opt_out() -> None:
    assert "If you would rather not get reports, answer this e-mail" in mail_text(FIGURES)
    assert "If you would rather not get reports, answer this e-mail" in seen(html_of(FIGURES))


def test_email_links_to_the_page_that_ends_the_letters() -> None:
    letter = mail(
        text_of(WeeklyReport(figures=FIGURES)), unsubscribe_url="https://example.com/v1/unsubscribe?token=a&b"
    )
    assert "Stop these letters: https://example.com/v1/unsubscribe?token=a&b\n" in letter.text
    assert 'href="https://example.com/v1/unsubscribe?token=a&amp;b"' in letter.html
    assert "answer this e-mail" not in letter.text + letter.html


def test_only_reports_have_an_opt_out() -> None:
    answerable = {kind for kind, values in SAMPLES.items() if mail(text_of(values)).opt_out_by_reply}
    assert answerable == {NoticeKind.WEEKLY_REPORT, NoticeKind.MONTHLY_REPORT}


def test_telegram_message_is_short() -> None:
    message = telegram_text(text_of(MonthlyReport(figures=replace(FIGURES, first_day=date(2022, 9, 1)))))
    assert message.splitlines()[0] == "<b>Your month: +1,234.57 USDT</b>"
    assert len(message.splitlines()) <= 6
    assert "Result after fees: +1,234.57 USDT (+2.34 %)" in message
    assert "Balance: 54,321.10 USDT" in message


def test_unknown_values_are_left_out() -> None:
    text = mail_text(
        replace(FIGURES, profit_pct=None, max_drawdown_pct=None, balance=None, manual=NOBODYS, latest=()),
    )
    assert "None" not in text
    for words in ("Balance:", "Your own trades", "Latest strategy trades"):
        assert words not in text
    assert "+1,234.57 USDT, after fees" in text


def test_only_day_with_trades_is_shown_once() -> None:
    text = mail_text(replace(FIGURES, worst_day=FIGURES.best_day))
    assert "Best day: +800.10 USDT" in text
    assert "Worst day" not in text


@pytest.mark.parametrize(("profit", "colour"), [("1", "#0a7a4c"), ("-1", "#b93220"), ("0", "#16202c")])
def test_gain_and_loss_differ_in_colour_and_in_sign(profit: str, colour: str) -> None:
    html = html_of(replace(FIGURES, profit=Decimal(profit)))
    sign = {"1": "+1.00", "-1": "-1.00", "0": "0.00"}[profit]
    assert f'color:{colour}">{sign} USDT' in html


def test_letters_are_large_enough_to_be_read_on_a_phone() -> None:
    html = html_of(FIGURES)
    sizes = {int(size) for size in re.findall(r"font-size:(\d+)px", html)} - {0}  # 0 is an empty cell between others
    assert min(sizes) >= 14
    assert "width=device-width" in html
    assert "max-width:600px" in html


@settings(deadline=None, max_examples=50)
@given(st.text())
def test_no_name_injects_markup_into_an_email(name: str) -> None:
    harmless = FIGURES.latest[0]
    hostile = replace(harmless, strategy_name=f'{name}"><img src=x onerror=alert(1)></td>', symbol=f"<script>{name}/X")
    page = html_of(replace(FIGURES, latest=(hostile,)))
    assert read(page).tags == read(html_of(replace(FIGURES, latest=(harmless,)))).tags


@pytest.mark.parametrize(
    ("first", "last", "text"),
    [
        ("2022-09-05", "2022-09-11", "5–11 September 2022"),
        ("2022-09-26", "2022-10-02", "26 September – 2 October 2022"),
        ("2022-12-26", "2023-01-01", "26 December 2022 – 1 January 2023"),
        ("2024-02-01", "2024-02-29", "February 2024"),
        ("2022-12-01", "2022-12-31", "December 2022"),
    ],
)
def test_date_ranges_are_written_in_words(first: str, last: str, text: str) -> None:
    assert days_text(date.fromisoformat(first), date.fromisoformat(last)) == text
