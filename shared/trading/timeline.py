"""How one execution went, reckoned from what its record keeps: what its entry slipped, how long things took. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Context, Decimal

from shared.trading.arithmetic import exact
from shared.trading.sides import Side

_MS = timedelta(milliseconds=1)

# A percentage need not end; so many digits never turn a slip into none.
_SHOWN = Context(prec=28)


@dataclass(frozen=True, slots=True, kw_only=True)
class Slippage:
    """What an entry cost beyond the trigger's price; positive is worse for the follower, negative better."""

    price: Decimal
    """In the quote asset, for one of the base asset."""
    pct: Decimal
    """The same in percent of the trigger's price."""
    cost: Decimal | None
    """In the quote asset, for the whole amount; None while the amount is not known."""


def slippage_of(
    *, side: Side, order_price: Decimal, entry_price: Decimal | None, amount: Decimal | None
) -> Slippage | None:
    """Return how far an entry slipped from the trigger's price, or None while nothing was entered.

    `side` is the entry's: a buyer is worse off with a higher price, a seller with a lower one.
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
    """Return the whole milliseconds between two moments, or None for a moment that was not reached.

    A fill has its time from the exchange's clock, receipt from ours: what seems to lie before it took no time.
    """
    return None if moment is None else max((moment - since) // _MS, 0)
