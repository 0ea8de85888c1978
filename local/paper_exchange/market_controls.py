"""The controls of markets: the levels of their books. Reads and applies them; books.py has the rules."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from local.paper_exchange import filters
from local.paper_exchange.control_values import BadControlRequest, amount, known_symbol, plain
from local.paper_exchange.venue import Book, Level, Venue


def set_book(venue: Venue, name: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """Give the symbol levels: pairs of ticks from the last price and amount, by side or (`levels`) for both sides."""
    step = filters.find_symbol(known_symbol(name)).step
    unknown = set(body) - {"levels", "bids", "asks", "refillMs"}
    if unknown:
        raise BadControlRequest(f"unknown fields: {', '.join(sorted(unknown))}")
    both = body.get("levels", [])
    venue.books[name] = Book(
        bids=_levels(body.get("bids", both), step),
        asks=_levels(body.get("asks", both), step),
        refill_ms=int(body.get("refillMs", 1000)),
    )
    return books_json(venue)[name]


def remove_book(venue: Venue, name: str) -> None:
    """Make the symbol's book endless at the last price again."""
    venue.books.pop(known_symbol(name), None)


def books_json(venue: Venue) -> dict[str, dict[str, Any]]:
    """Return the books that have levels."""
    return {
        name: {
            "bids": [[level.ticks, plain(level.amount)] for level in book.bids],
            "asks": [[level.ticks, plain(level.amount)] for level in book.asks],
            "refillMs": book.refill_ms,
        }
        for name, book in venue.books.items()
    }


def _levels(pairs: Any, step: Decimal) -> list[Level]:
    if not isinstance(pairs, list) or not all(isinstance(pair, list) and len(pair) == 2 for pair in pairs):  # noqa: PLR2004
        raise BadControlRequest("levels must be pairs of ticks and amount")
    levels = [Level(int(ticks), amount(size, "amount")) for ticks, size in pairs]
    if any(level.ticks < 0 or level.amount <= 0 or level.amount % step for level in levels):
        raise BadControlRequest("a level's ticks are not negative, and its amount is a multiple of the step")
    return levels
