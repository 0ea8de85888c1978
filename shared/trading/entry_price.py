"""The prices that an entry meets, and the worst one at which it may fill. Reads and sends nothing."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from shared.errors import OrderDenied
from shared.trading.arithmetic import exact
from shared.trading.execution import DenialReason
from shared.trading.filters import SymbolFilters, round_down, round_up
from shared.trading.sides import Side

LEAST_ALLOWANCE_TICKS = 2


@dataclass(frozen=True, slots=True)
class MarketPrices:
    """A contract's prices at one moment."""

    last: Decimal
    """The last traded price: stops trigger on it."""
    bid: Decimal
    """The best price that somebody buys at; 0 if nobody does."""
    ask: Decimal
    """The best price that somebody sells at; 0 if nobody does."""

    def offered_to(self, side: Side) -> Decimal:
        """Return the price at which an order of this side fills first; 0 if nobody offers any."""
        return self.ask if side is Side.BUY else self.bid


def entry_bound(
    *, side: Side, order_price: Decimal, prices: MarketPrices, allowance_pct: Decimal, filters: SymbolFilters
) -> Decimal:
    """Return the worst price at which an entry may fill, on the tick grid; raise OrderDenied if nobody offers any.

    It lies beyond the worse of the order price and the best offer, by `allowance_pct` percent, and at least by two
    ticks. Rounding moves it towards the market, so that the order never pays more than the allowance.
    """
    offered = prices.offered_to(side)
    if not offered:
        raise OrderDenied(DenialReason.PRICE_MOVED, "nobody offers a price")
    with exact():
        least = LEAST_ALLOWANCE_TICKS * filters.tick_size
        match side:
            case Side.BUY:
                reference = max(order_price, offered)
                allowed = round_down(reference * (1 + allowance_pct / 100), filters.tick_size)
                bound = max(allowed, round_down(reference, filters.tick_size) + least)
            case Side.SELL:
                reference = min(order_price, offered)
                allowed = round_up(reference * (1 - allowance_pct / 100), filters.tick_size)
                bound = min(allowed, round_up(reference, filters.tick_size) - least)
        return filters.within_band(bound)
