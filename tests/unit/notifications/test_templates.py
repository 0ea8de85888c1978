"""The text of every notice, on both channels: nothing is missing, nothing can be injected, nothing grows too long."""

from __future__ import annotations

import re
from dataclasses import fields, replace
from decimal import Decimal
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.models.notification_setting import NotificationSetting
from shared.notifications.notice_types import (
    CLASSES,
    DELIVERY_RULES,
    NoticeKind,
    NoticeValues,
    PaymentFailed,
    Reply,
    TelegramReply,
    TelegramUnlinked,
    UnlinkCause,
    UserNearMaximum,
    from_json,
    to_json,
)
from shared.notifications.rendering import mail, telegram_text
from shared.notifications.templates import text_of
from tests.unit.notifications.samples import CLOSED, NEAR, OPENED, REFUSED, SAMPLES

TELEGRAM_MOST = 4096

EVERY = [
    *SAMPLES.values(),
    *(TelegramReply(reply=reply) for reply in Reply),
    *(TelegramUnlinked(why=why) for why in UnlinkCause),
    PaymentFailed(plan_name="STANDARD", amount=Decimal("40.00")),
    PaymentFailed(plan_name="", amount=Decimal("40.00")),
    PaymentFailed(plan_name="PRO", amount=Decimal("123.00"), begins=True),
    replace(CLOSED, amount=None, entry_price=None, exit_price=None, profit=None, profit_pct=None),
    replace(OPENED, callback_rate_pct=Decimal("0.5"), take_profits=()),
]

# Reports have a letter of their own: see test_report.
WITHOUT_LETTER = [values for values in EVERY if text_of(values).letter is None]


class Reader(HTMLParser):
    """Reads a page as a mail program does."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.seen = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        assert not [name for name, _ in attrs if name.startswith("on")]

    def handle_data(self, data: str) -> None:
        self.seen += data


def read(html: str) -> Reader:
    reader = Reader()
    reader.feed(html)
    return reader


def test_every_kind_has_a_class_a_rule_and_a_sample() -> None:
    assert set(CLASSES) == set(DELIVERY_RULES) == set(SAMPLES) == set(NoticeKind)


def test_switches_are_attributes_of_the_admins_settings() -> None:
    switches = {rule.switch for rule in DELIVERY_RULES.values()} - {None}
    assert switches == {name for name in NotificationSetting.get_attributes() if name.startswith("notify_")}


@pytest.mark.parametrize("values", EVERY, ids=lambda values: values.kind.value)
def test_values_survive_json(values: NoticeValues) -> None:
    assert from_json(values.kind, to_json(values)) == values


@pytest.mark.parametrize("values", WITHOUT_LETTER, ids=lambda values: values.kind.value)
def test_both_channels_say_the_same_in_plain_words(values: NoticeValues) -> None:
    notice = text_of(values)
    message, letter = telegram_text(notice), mail(notice)
    assert letter.subject == f"Lockstep: {notice.title}"
    shown = read(message).seen
    for line in letter.text.strip().splitlines():
        assert line in shown or not line
    page = read(letter.html).seen
    assert notice.title in page
    # No code of ours and no missing value is shown to a person.
    assert not re.search(r"\b[A-Z]+_[A-Z_]+\b|\bNone\b|Decimal|datetime", letter.text)


def test_opened_position_shows_its_figures() -> None:
    text = mail(text_of(OPENED)).text
    assert "BTC/USDT: long position opened" in text
    assert "Amount: 0.536 BTC" in text
    assert "Entry: 20000 USDT" in text
    assert "Stop: 19700 USDT" in text
    assert "Take-profit: 20300, 20600 USDT" in text
    assert "Time: 2022-09-09 01:57 UTC" in text


def test_closed_position_shows_its_result_and_reason() -> None:
    text = telegram_text(text_of(CLOSED))
    assert text.startswith("<b>BTC/USDT: short position closed, -161.27 USDT</b>\nThe stop closed it.\n")
    assert "Result after fees: -161.27 USDT (-1.5 %)" in text


def test_refused_entry_shows_its_reason() -> None:
    assert REFUSED.reason in mail(text_of(REFUSED)).html


def test_money_is_rounded_to_cents_and_grouped() -> None:
    assert "Balance: 4,600.50 USD" in mail(text_of(NEAR)).text


@pytest.mark.parametrize(
    ("amount", "currency", "shown"),
    [("1234.50", "USD", "1,234.50 USD"), ("49.00", "EUR", "49.00 EUR"), ("4900", "JPY", "4,900 JPY")],
)
def test_failed_payment_shows_its_amount_with_the_digits_of_its_currency(
    amount: str, currency: str, shown: str
) -> None:
    values = PaymentFailed(plan_name="PRO", amount=Decimal(amount), currency=currency)
    assert f"Amount: {shown}" in mail(text_of(values)).text


def test_first_payment_that_failed_says_that_nothing_else_changes() -> None:
    text = mail(text_of(PaymentFailed(plan_name="PRO", amount=Decimal("123.00"), begins=True))).text
    assert "The first payment for a plan failed" in text
    assert "A plan that you have already goes on as it is." in text
    assert "Plan: PRO" in text
    assert "renew" not in text


def test_stored_notice_of_a_failed_payment_from_before_currencies_is_read() -> None:
    text = '{"plan_name":"STANDARD","amount_usd":"40","next_attempt_at":null}'
    assert from_json(NoticeKind.PAYMENT_FAILED, text) == PaymentFailed(plan_name="STANDARD", amount=Decimal(40))


def test_report_shows_its_curve_only_if_it_is_attached() -> None:
    notice = text_of(SAMPLES[NoticeKind.WEEKLY_REPORT])
    assert 'src="cid:equity"' in mail(notice, images=["equity"]).html
    assert "cid:" not in mail(notice).html


def test_help_is_one_line_with_every_command_of_the_bot() -> None:
    (line,) = read(telegram_text(text_of(TelegramReply(reply=Reply.HELP)))).seen.splitlines()
    assert re.findall(r"/\w+", line) == ["/status", "/stop", "/start"]


def test_stop_says_that_trading_goes_on() -> None:
    assert "Trading goes on" in telegram_text(text_of(TelegramReply(reply=Reply.STOPPED)))


def test_balance_that_leaves_assets_out_names_them() -> None:
    assert "price" not in telegram_text(text_of(NEAR))
    some = telegram_text(text_of(replace(NEAR, unpriced=("XYZ", "OLD"))))
    assert "XYZ, OLD" in some
    many = telegram_text(text_of(replace(NEAR, unpriced=tuple(f"A{number}" for number in range(300)))))
    assert "A0, A1" in many
    assert "and 290 more" in many


@given(st.text(), st.text())
def test_no_name_injects_markup_into_a_message(name: str, address: str) -> None:
    values = UserNearMaximum(
        user_id="id",
        user_name=f"{name}<img src=x onerror=alert(1)></td>",
        user_email=address,
        plan_name=f"</h1><script>{name}",
        balance_usd=Decimal(1),
        max_balance_usd=Decimal(2),
    )
    notice = text_of(values)
    assert read(telegram_text(notice)).tags == ["b"]
    harmless = replace(values, user_name="a", user_email="b", plan_name="c")
    assert read(mail(notice).html).tags == read(mail(text_of(harmless)).html).tags
    assert len(mail(notice).subject.splitlines()) == 1


@pytest.mark.parametrize("values", EVERY, ids=lambda values: values.kind.value)
def test_no_message_is_longer_than_telegram_accepts(values: NoticeValues) -> None:
    long: Any = {one.name: "<&>" * 5000 for one in fields(values) if type(getattr(values, one.name)) is str}
    # Telegram counts what is seen, markup and entities resolved.
    seen = read(telegram_text(text_of(replace(values, **long)))).seen
    assert len(seen) <= TELEGRAM_MOST


@pytest.mark.parametrize(
    "hidden", ["\u202e", "\u2066", "\u200b", "\u200f", "\ufeff", "\x07", "\ud800", "\ue000", "\u00ad"]
)
def test_characters_that_hide_or_reorder_others_reach_no_letter_and_no_chat(hidden: str) -> None:
    text = text_of(replace(OPENED, strategy_name=f"Mo{hidden}mentum", symbol=f"BTC{hidden}/USDT"))
    letter = mail(text)
    for sent in (telegram_text(text), letter.subject, letter.text, letter.html):
        assert hidden not in sent
    assert "Momentum" in telegram_text(text)
    assert "Momentum" in letter.text
