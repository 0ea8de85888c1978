"""The exchange's limits on a symbol's prices and amounts, and rounding to them. Reads nothing."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import assert_never

from shared.trading.arithmetic import exact, least_common_step


class Rounding(StrEnum):
    """The direction in which a price between two ticks is rounded."""

    UP = "UP"
    DOWN = "DOWN"


@dataclass(frozen=True, slots=True)
class SymbolFilters:
    """A symbol's filters; `market_` stands for MARKET_LOT_SIZE, amounts without it for LOT_SIZE. 0 means no limit."""

    symbol: str
    tick_size: Decimal
    step_size: Decimal
    min_amount: Decimal
    max_amount: Decimal
    market_step_size: Decimal
    market_min_amount: Decimal
    market_max_amount: Decimal
    min_notional: Decimal
    price_min: Decimal = Decimal(0)
    price_max: Decimal = Decimal(0)

    @classmethod
    def without_conditions(cls, symbol: str) -> SymbolFilters:
        """Return filters that pass every amount and price."""
        return cls(
            symbol=symbol,
            tick_size=Decimal(0),
            step_size=Decimal(0),
            min_amount=Decimal(0),
            max_amount=Decimal(0),
            market_step_size=Decimal(0),
            market_min_amount=Decimal(0),
            market_max_amount=Decimal(0),
            min_notional=Decimal(0),
        )

    @property
    def entry_step(self) -> Decimal:
        """The step of an amount that is valid in a market order and can be split into limit orders."""
        return least_common_step(self.step_size, self.market_step_size)

    @property
    def entry_min(self) -> Decimal:
        """The smallest amount that is valid in a market and in a limit order."""
        return max(self.min_amount, self.market_min_amount)

    @property
    def entry_max(self) -> Decimal | None:
        """The largest amount that is valid in a market and in a limit order; None means no limit."""
        return min((limit for limit in (self.max_amount, self.market_max_amount) if limit), default=None)

    @property
    def price_floor(self) -> Decimal:
        """The lowest price of an order."""
        return max(round_up(self.price_min, self.tick_size), self.tick_size)

    @property
    def price_ceiling(self) -> Decimal | None:
        """The highest price of an order; None means no limit."""
        return round_down(self.price_max, self.tick_size) if self.price_max else None

    def within_band(self, price: Decimal) -> Decimal:
        """Return the price of an order that is nearest to `price`."""
        ceiling = self.price_ceiling
        return max(price if ceiling is None else min(price, ceiling), self.price_floor)


def round_down(value: Decimal, step: Decimal) -> Decimal:
    """Return the largest multiple of `step` that is not above a non-negative `value`; a step of 0 changes nothing."""
    if not step:
        return value
    with exact():
        return (value // step) * step


def round_up(value: Decimal, step: Decimal) -> Decimal:
    """Return the smallest multiple of `step` that is not below a non-negative `value`; a step of 0 changes nothing."""
    if not step:
        return value
    with exact():
        whole = value // step
        return (whole if whole * step == value else whole + 1) * step


def round_price(price: Decimal, tick: Decimal, rounding: Rounding) -> Decimal:
    """Return the nearest price on the tick grid in the given direction."""
    match rounding:
        case Rounding.UP:
            return round_up(price, tick)
        case Rounding.DOWN:
            return round_down(price, tick)
        case _:
            assert_never(rounding)
