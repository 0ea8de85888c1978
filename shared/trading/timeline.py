"""Calculates an execution's slippage and durations from its record. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Context, Decimal

from shared.trading.arithmetic import exact
from shared.trading.sides import Side

_MS = timedelta(milliseconds=1)

# The decimals of a percentage may never end; 28 digits never round a slippage to 0.
_SHOWN = Context(prec=28)


@dataclass(frozen=True, slots=True, kw_only=True)
class Slippage:
    """The difference between entry and trigger price; positive is worse for the follower, negative is better."""

    price: Decimal
    """In the quote asset, per unit of the base asset."""
    pct: Decimal
    """The same in percent of the trigger's price."""
    cost: Decimal | None
    """In the quote asset, for the whole amount; None while the amount is unknown."""


def slippage_of(
    *, side: Side, order_price: Decimal, entry_price: Decimal | None, amount: Decimal | None
) -> Slippage | None:
    """Return the entry's slippage from the trigger's price, or None without an entry.

    `side` is the entry's: a higher price is worse for a buyer, a lower one for a seller.
    """
    if entry_price is None:
        return None
    with exact():
        price = side.sign * (entry_price - order_price)
        return Slippage(
            price=price,
            pct=_SHOWN.plus(price * 100 / order_price),
            cost=None if amount is None else price * amount,
        )


def ms_until(moment: datetime | None, *, since: datetime) -> int | None:
    """Return the whole milliseconds between two moments, at least 0, or None if the moment was not reached.

    A fill's time is by the exchange's clock and the receipt's by ours, so a fill may seem to precede the receipt.
    """
    return None if moment is None else max((moment - since) // _MS, 0)
