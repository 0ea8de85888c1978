"""Formats the numbers, times and names of a notice. Rounds only what is meant to be read at a glance."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final

from shared.readable_text import without_hidden
from shared.trading.symbols import assets_of

LONGEST_TEXT: Final = 300
"""Characters of a name or a reason before it is cut: a message stays far below Telegram's 4,096."""

_CENT: Final = Decimal("0.01")


def short(text: str) -> str:
    """Return a text on one line, cut to LONGEST_TEXT, without characters that hide or reorder others."""
    line = without_hidden(text)
    return line if len(line) <= LONGEST_TEXT else line[: LONGEST_TEXT - 1] + "…"


def assets(symbol: str) -> tuple[str, str]:
    """Return base and quote asset of `BTC/USDT`, or of `BTC/USDT-261225`."""
    return assets_of(short(symbol))


def side(*, long: bool) -> str:
    """Return the position's side."""
    return "long" if long else "short"


def number(value: Decimal) -> str:
    """Return every digit without trailing zeros: `0.536`, `19700`."""
    text = format(value, "f")
    return (text.rstrip("0").rstrip(".") or "0") if "." in text else text


def signed(value: Decimal) -> str:
    """Return the number, rounded to two places, with its sign: `+1.25`, `-3`, `0`."""
    return _with_sign(_rounded(value), number(abs(_rounded(value))))


def rounded(value: Decimal) -> str:
    """Return the number rounded to two places."""
    return number(_rounded(value))


def usd(value: Decimal) -> str:
    """Return `12,345.60 USD`."""
    return money(value, "USD")


def money(value: Decimal, asset: str) -> str:
    """Return `12,345.60 USDT`."""
    return f"{_rounded(value):,.2f} {asset}"


def exact_money(value: Decimal, currency: str) -> str:
    """Return `12,345.60 EUR` or `12,346 JPY`: the digits that the value has."""
    return f"{value:,f} {currency}"


def signed_money(value: Decimal, asset: str) -> str:
    """Return `+12,345.60 USDT`."""
    return _with_sign(_rounded(value), f"{abs(_rounded(value)):,.2f} {asset}")


def time_text(moment: datetime) -> str:
    """Return `2022-09-09 01:57 UTC`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")


def moment_text(moment: datetime) -> str:
    """Return `9 Sep 01:57 UTC`, for places where the year is obvious."""
    at = moment.astimezone(UTC)
    return f"{at.day} {at:%b %H:%M} UTC"


def day_text(day: date) -> str:
    """Return `Thursday, 10 September`."""
    return f"{day:%A}, {day.day} {day:%B}"


def days_text(first: date, last: date) -> str:
    """Return `5–11 September 2022`, and for a whole month `September 2022`."""
    month = f"{last:%B} {last.year}"
    if (first.year, first.month) != (last.year, last.month):
        year = "" if first.year == last.year else f" {first.year}"
        return f"{first.day} {first:%B}{year} – {last.day} {month}"
    if first.day == 1 and (last + timedelta(days=1)).day == 1:
        return month
    return f"{first.day}–{last.day} {month}"


def _rounded(value: Decimal) -> Decimal:
    return value.quantize(_CENT, ROUND_HALF_EVEN)


def _with_sign(value: Decimal, text: str) -> str:
    if value > 0:
        return f"+{text}"
    return f"-{text}" if value < 0 else text
