"""The two books that capacity is measured with: one with more than anybody takes, and a thin one."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Any

from local.paper_exchange import filters, market_controls
from local.paper_exchange.venue import Venue

THIN_USDT = 50_000
"""The notional of each level near the price; it is there again after a second."""
_THIN_TICKS = (1, 3, 5)
_REFILL_MS = 1_000
_TAIL_PCT = Decimal("0.4")
"""So far from the price the thin book has all that anybody needs: an exit always finds a buyer, an entry does not."""
_TAIL_USDT = 1_000_000_000


class Depth(StrEnum):
    """How much the book has."""

    DEEP = "deep"
    THIN = "thin"


def set_book(venue: Venue, name: str, depth: Depth) -> None:
    """Give a symbol such a book."""
    if depth is Depth.DEEP:
        market_controls.remove_book(venue, name)
        return
    listed, price = filters.find_symbol(venue, name), venue.quotes[name].last

    def whole_steps(usdt: int) -> str:
        return str(max(usdt / price // listed.step, Decimal(1)) * listed.step)

    levels: list[list[Any]] = [[ticks, whole_steps(THIN_USDT)] for ticks in _THIN_TICKS]
    levels.append([int(price * _TAIL_PCT / 100 / listed.tick), whole_steps(_TAIL_USDT)])
    market_controls.set_book(venue, name, {"levels": levels, "refillMs": _REFILL_MS})
