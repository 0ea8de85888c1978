"""The candles of one price: what it was in each minute. It changes with price moves alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal

MINUTE_MS = 60_000


@dataclass(slots=True)
class Candle:
    """The prices of one span of time."""

    opened_ms: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal

    def include(self, price: Decimal) -> None:
        """Let the price move within the span."""
        self.high, self.low, self.close = max(self.high, price), min(self.low, price), price


@dataclass(slots=True)
class PriceHistory:
    """One price, from the first move on."""

    moved: list[Candle] = field(default_factory=list)
    """Of the minutes in which it moved, oldest first."""

    def record(self, before: Decimal, price: Decimal, now_ms: int) -> None:
        """Record a move, from the price that there was before it."""
        if price == before:
            return
        minute = now_ms - now_ms % MINUTE_MS
        if not self.moved or self.moved[-1].opened_ms < minute:
            self.moved.append(Candle(minute, before, before, before, before))
        self.moved[-1].include(price)

    def candles(self, *, oldest_ms: int, newest_ms: int, length_ms: int, price: Decimal) -> Iterator[Candle]:
        """Yield the candles that open between two times; `price` is the present one, for want of any move."""
        close = self.moved[0].open if self.moved else price
        moved = iter(self.moved)
        following = next(moved, None)
        for opened_ms in range(oldest_ms, newest_ms + 1, length_ms):
            while following is not None and following.opened_ms < opened_ms:
                close, following = following.close, next(moved, None)
            candle = Candle(opened_ms, close, close, close, close)
            while following is not None and following.opened_ms < opened_ms + length_ms:
                for one in (following.high, following.low, following.close):
                    candle.include(one)
                following = next(moved, None)
            close = candle.close
            yield candle
