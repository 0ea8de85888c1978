"""The risk of a position at its stop: what it loses there, fees included, and what it may lose. Reads nothing."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal

from shared.trading.arithmetic import exact
from shared.trading.readiness import is_current
from shared.trading.sides import Side

BASE_TAKER_RATE = Decimal("0.0005")
"""The exchange's taker rate for accounts without any discount (VIP 0, USDT-margined contracts): 0.05 %.

Source: Binance, "USD-M futures trading fee rate". An account whose own rate is not known is sized with it.
"""

HIGHEST_TAKER_RATE = Decimal("0.005")
"""No account pays a tenth as much: a higher rate is a mistake in the answer."""


def is_plausible_rate(rate: Decimal) -> bool:
    """Return whether a taker rate may be used for sizing: above zero, and not absurdly high."""
    return rate.is_finite() and 0 < rate <= HIGHEST_TAKER_RATE


def taker_rate_for_sizing(known: Decimal | None, *, read_at: datetime | None, now: datetime) -> Decimal:
    """Return the taker rate, a share of the notional, that an entry is sized with.

    It is the account's own while that was read within about a day. Otherwise it is the base rate, or the account's last
    rate if that is higher.
    """
    if known is None or not is_plausible_rate(known):
        return BASE_TAKER_RATE
    return known if is_current(read_at, now=now) else max(known, BASE_TAKER_RATE)


def risk_budget(*, equity: Decimal, risk_pct: Decimal) -> Decimal:
    """Return what an entry may lose at its stop, fees included, in the quote asset; risk_pct is 0 to 100."""
    with exact():
        return equity * risk_pct / 100


def loss_at_stop(
    *, side: Side, amount: Decimal, entry_price: Decimal, stop_price: Decimal, taker_rate: Decimal
) -> Decimal:
    """Return what a position loses when it ends at the stop's own price, with the taker's fees of both ways.

    The worse the entry's price is, the more it loses. What the stop fills worse than its own price, gaps and funding
    are not in it.
    """
    with exact():
        return amount * (side.sign * (entry_price - stop_price) + taker_rate * (entry_price + stop_price))


def worst_loss_at_stops(
    *, side: Side, amount: Decimal, entry_price: Decimal, stop_prices: Iterable[Decimal], taker_rate: Decimal
) -> Decimal:
    """Return what a position loses at the worst of one or more stops, each at its own price, fees included."""
    return max(
        loss_at_stop(side=side, amount=amount, entry_price=entry_price, stop_price=price, taker_rate=taker_rate)
        for price in stop_prices
    )
