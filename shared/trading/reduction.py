"""Plans how a position is brought down to a share of its entry's amount. Sends nothing, reads nothing."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from shared.trading.arithmetic import exact
from shared.trading.filters import SymbolFilters, round_down
from shared.trading.fitting import allowed_amount
from shared.trading.order_planning import OrderType


@dataclass(frozen=True, slots=True)
class Reduction:
    """What is to be closed of a position, and what remains once that is done."""

    close: Decimal
    """The amount of one market order; 0 if there is nothing to close, or everything is to be closed."""
    keep: Decimal
    """0 if the position must be closed whole, because the rest would be less than the exchange takes."""


def plan_reduction(*, entered: Decimal, left: Decimal, keep_share: Decimal, filters: SymbolFilters) -> Reduction:
    """Return how what is `left` of an entry's amount is brought down to a share of that amount.

    The share is rounded down to the exchange's step. A difference that is less than a market order stays.
    """
    with exact():
        wanted = round_down(entered * keep_share, filters.entry_step)
        excess = left - wanted
    if excess <= 0:
        return Reduction(Decimal(0), left)
    if not wanted or wanted < filters.entry_min:
        return Reduction(Decimal(0), Decimal(0))
    close = allowed_amount(excess, OrderType.MARKET, filters=filters)
    return Reduction(close, left - close)
