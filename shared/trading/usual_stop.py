"""The usual distance of a strategy's stop, and the least equity that an entry with it needs. Reads nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from statistics import median

from shared.trading.arithmetic import exact
from shared.trading.entry_price import MarketPrices, entry_bound
from shared.trading.entry_settings import BelowMinimum
from shared.trading.filters import SymbolFilters, round_up
from shared.trading.order_planning import stop_prices
from shared.trading.risk import worst_loss_at_stops
from shared.trading.sides import Side, StopType
from shared.trading.signal import Signal
from shared.trading.sizing import MINIMUM_RISK_FACTOR, SizingRules

RECENT = 20
"""So many of a strategy's latest triggers show its usual stop."""

_CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class UsualStop:
    """What a strategy's recent triggers have in common."""

    distance: Decimal
    """From the order price to the stop, as a share of the order price: the median."""
    type: StopType
    """Of the latest."""

    def signal_at(self, price: Decimal, *, side: Side) -> Signal:
        """Return the signal of an alert at a price, with this stop and one take-profit as far away as the stop."""
        with exact():
            step = side.sign * self.distance * price
            return Signal(
                side=side,
                order_price=price,
                stop=price - step,
                stop_type=self.type,
                take_profits=(price + step,),
            )


def usual_stop(signals: Sequence[Signal]) -> UsualStop | None:
    """Return the usual stop of recent signals, the latest first; None without any."""
    if not signals:
        return None
    with exact():
        distances = [abs(signal.order_price - signal.stop) / signal.order_price for signal in signals]
        return UsualStop(median(distances), signals[0].stop_type)


def least_equity(stop: UsualStop, *, price: Decimal, filters: SymbolFilters, rules: SizingRules) -> Decimal:
    """Return the equity, in whole cents of the quote asset, with which an entry on either side reaches the minimum.

    It is sized as `sizing.size_order` does it, at a market whose last price, bid and ask are `price`, and an account
    with the margin for it. A follower that opens the minimum where its sizing asks for less needs about half.
    """
    prices = MarketPrices(last=price, bid=price, ask=price)
    with exact():
        return max(_least_on_side(stop.signal_at(price, side=side), prices, filters, rules) for side in Side)


def _least_on_side(signal: Signal, prices: MarketPrices, filters: SymbolFilters, rules: SizingRules) -> Decimal:
    bound = entry_bound(
        side=signal.side,
        order_price=signal.order_price,
        prices=prices,
        allowance_pct=rules.allowance_pct,
        filters=filters,
    )
    amount = round_up(max(filters.entry_min, filters.min_notional / bound), filters.entry_step)
    loss = worst_loss_at_stops(
        side=signal.side,
        amount=amount,
        entry_price=bound,
        stop_prices=(signal.stop, stop_prices(signal, filters=filters).last),
        taker_rate=rules.taker_rate,
    )
    by_leverage = _up_to_cent(amount * max(bound, prices.last) / rules.max_effective_leverage)
    by_risk = loss * 100 / rules.risk_pct
    if rules.chosen.below_minimum is BelowMinimum.MINIMUM:
        # The loss must stay below that multiple, so the exact quotient is not enough.
        by_risk = (by_risk / MINIMUM_RISK_FACTOR).quantize(_CENT, rounding=ROUND_FLOOR) + _CENT
    # An amount is rounded down to its step, so that the exact quotient is enough otherwise.
    return max(_up_to_cent(by_risk), by_leverage)


def _up_to_cent(amount: Decimal) -> Decimal:
    return amount.quantize(_CENT, rounding=ROUND_CEILING)
