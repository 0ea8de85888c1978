"""Whether the market has touched an exit of a position since it was looked at last. Pure.

A stop or target can have filled only if the market has been at its price. The candles of a symbol, which are the same
for every position in it, say where the market has been; which of a candle's prices came first they do not say, so the
worst order is assumed.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from shared.trading.sides import Side

LATE_BY = timedelta(seconds=30)
"""What happened so shortly before a look, the look may have missed: the exchange's lists may be late, clocks differ."""
_HUNDRED = Decimal(100)


@dataclass(frozen=True, slots=True)
class Candle:
    """The highest and the lowest price in a span of time. It counts as read only if it was read after its end."""

    opened_at: datetime
    ends_at: datetime
    high: Decimal
    low: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class TrailingStop:
    """A stop that follows the best price at a distance of `callback_pct`, once the market has reached `activation`."""

    activation: Decimal | None
    """None if it was active at once."""
    callback_pct: Decimal
    placed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchedExits:
    """The exits of a position, by the prices at which they trigger or fill."""

    side: Side
    """Of the position."""
    below: Decimal | None
    """The highest price below the market at which one triggers or fills; None if there is none."""
    above: Decimal | None
    """The lowest one above the market."""
    looked_at: datetime
    """When the position was last compared with the exchange: until then, nothing had been missed."""
    trailing: TrailingStop | None = None
    liquidation: Decimal | None = None
    """The mark price at which the exchange closes the position; None if it does at none."""


@dataclass(frozen=True, slots=True)
class SymbolCandles:
    """What was read of a symbol, the oldest candle first, without gaps."""

    contract: Sequence[Candle] = field(default=())
    mark: Sequence[Candle] = field(default=())
    days: Sequence[Candle] = field(default=())
    """Of the last price, a day each, from before a trailing stop was placed up to now: for its best price since."""


def is_touched(exits: WatchedExits, candles: SymbolCandles) -> bool:
    """Return whether an exit may have triggered or filled since the last look, also where the candles do not reach."""
    since = exits.looked_at - LATE_BY
    unseen = [candle for candle in candles.contract if candle.ends_at > since]
    if not _reaches(candles.contract, since):
        return True
    if exits.below is not None and any(candle.low <= exits.below for candle in unseen):
        return True
    if exits.above is not None and any(candle.high >= exits.above for candle in unseen):
        return True
    if exits.trailing is not None and _trailing_is_touched(exits.trailing, exits.side, candles, since=since):
        return True
    return exits.liquidation is not None and _liquidation_is_touched(exits, candles.mark, since=since)


def _reaches(candles: Sequence[Candle], since: datetime) -> bool:
    return bool(candles) and candles[0].opened_at <= since


def _trailing_is_touched(trailing: TrailingStop, side: Side, candles: SymbolCandles, *, since: datetime) -> bool:
    """Return whether the trailing stop may have triggered: in each candle the best price is assumed to come first.

    An older one's best price is that of whole days, the first and the last included: too good rather than too bad.
    """
    days = () if _reaches(candles.contract, trailing.placed_at) else candles.days
    if not _reaches(days or candles.contract, trailing.placed_at):
        return True  # the best price since then is not known
    best: Decimal | None = None
    for number, candle in enumerate((*days, *candles.contract)):
        if candle.ends_at <= trailing.placed_at:
            continue
        reached, worst = (candle.high, candle.low) if side is Side.BUY else (candle.low, candle.high)
        active = trailing.activation is None or (reached - trailing.activation) * side.sign >= 0
        if best is None and not active:
            continue
        best = reached if best is None else max(best * side.sign, reached * side.sign) * side.sign
        level = best * (1 - side.sign * trailing.callback_pct / _HUNDRED)
        if number >= len(days) and candle.ends_at > since and (worst - level) * side.sign <= 0:
            return True
    return False


def _liquidation_is_touched(exits: WatchedExits, mark: Sequence[Candle], *, since: datetime) -> bool:
    if exits.liquidation is None:
        return False
    if not _reaches(mark, since):
        return True
    worst = ((candle.low if exits.side is Side.BUY else candle.high) for candle in mark if candle.ends_at > since)
    return any((price - exits.liquidation) * exits.side.sign <= 0 for price in worst)
