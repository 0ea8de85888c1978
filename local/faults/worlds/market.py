"""The market of one symbol: its price, the depth of its book, its filters. Moves by the world's dice alone."""

from __future__ import annotations

import asyncio
from decimal import ROUND_HALF_EVEN, Decimal

from local.faults.worlds.shape import Shape
from local.paper_exchange import market_controls
from local.paper_exchange.symbols import SYMBOLS, Symbol
from local.simulation.chances import Chances
from local.simulation.exchange import WatchedExchange

_LOWEST, _HIGHEST = Decimal("0.4"), Decimal("2.5")
"""Of the first price."""
_TICK_FACTORS = (Decimal("0.1"), Decimal(1), Decimal(5), Decimal(10))
_STEP_FACTORS = (Decimal(1), Decimal(2), Decimal(10))
_TAIL_PCT = Decimal("0.4")
"""So far from the last price, a book has more than anybody can take: no exit finds it empty."""


class Market:
    """One symbol's market."""

    def __init__(self, exchange: WatchedExchange, chances: Chances, shape: Shape, symbol: str) -> None:
        self._exchange = exchange
        self._chances = chances
        self._dice = chances.dice
        self._shape = shape
        self.symbol = symbol.replace("/", "")
        self._listed = SYMBOLS[self.symbol]
        self.price = self._listed.start_price
        if shape.depth:
            self._draw_book()

    @property
    def unit(self) -> Decimal:
        """A thousandth of the price."""
        return self.price / 1000

    @property
    def filters(self) -> Symbol:
        """The symbol with its present filters."""
        symbol = self._exchange.venue.symbol(self.symbol)
        assert symbol is not None  # noqa: S101 - it was listed at the start
        return symbol

    def round(self, price: Decimal) -> Decimal:
        """Return a price as a chart shows it: on the tick that the symbol was listed with."""
        return price.quantize(self._listed.tick, ROUND_HALF_EVEN)

    async def run(self) -> None:
        """Move the price every few seconds until cancelled."""
        while True:
            await asyncio.sleep(self._dice.uniform(2, 15))
            change = self._dice.gauss(0, 0.0025)
            if self._dice.random() < 0.03:  # noqa: PLR2004
                change *= 8  # a gap
            self.move_to(self.price * Decimal(1 + change))

    def move_to(self, price: Decimal) -> None:
        """Move the market to a price, and what it crosses with it."""
        first = self._listed.start_price
        self.price = min(max(self.round(price), first * _LOWEST), first * _HIGHEST)
        if self._shape.depth:
            self._draw_book()
        self._exchange.move_price(self.symbol, self.price)

    def _draw_book(self) -> None:
        """Give the book a few levels near the last price, thin or not, and far from it all that anybody needs."""
        spread = self._dice.choice((0, 1, 1, 5, 30))
        gap = self._dice.choice((1, 2, 10))
        size = self._whole_steps(self._dice.choice((1_000, 5_000, 50_000)) / self.price)
        ticks = [spread + gap * number for number in range(self._dice.randint(1, 5))]
        tail = ticks[-1] + int(self.price * _TAIL_PCT / 100 / self.filters.tick) + 1
        everything = self._whole_steps(1_000_000_000 / self.price)
        levels = [*([near, str(size)] for near in ticks), [tail, str(everything)]]
        body = {"levels": levels, "refillMs": self._dice.choice((200, 1_000, 5_000))}
        market_controls.set_book(self._exchange.venue, self.symbol, body)

    def _whole_steps(self, amount: Decimal) -> Decimal:
        step = self.filters.step
        return max(amount // step, Decimal(1)) * step

    def restore_step(self) -> None:
        """Change the step to the one that the symbol was listed with."""
        market_controls.change_symbol(self._exchange.venue, self.symbol, {"stepSize": str(self._listed.step)})

    def change_filters(self) -> None:
        """Change the tick or the step; orders that stand keep their prices and amounts."""
        size, now, listed, digits, factors = self._dice.choice(
            (
                ("tickSize", self.filters.tick, self._listed.tick, self._listed.price_digits, _TICK_FACTORS),
                ("stepSize", self.filters.step, self._listed.step, self._listed.amount_digits, _STEP_FACTORS),
            )
        )
        finest = Decimal(1).scaleb(-digits)
        others = [value for factor in factors if (value := listed * factor) >= finest and value != now]
        if not others:
            return
        self._chances.happened[f"{size} changed"] += 1
        market_controls.change_symbol(self._exchange.venue, self.symbol, {size: str(self._dice.choice(others))})
        if self._shape.depth:
            self._draw_book()
