"""The controls of markets: the levels of their books, the listing, filters. Other modules have the rules."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from local.paper_exchange import filters, settlement
from local.paper_exchange.control_values import BadControlRequest, amount, known_symbol, plain
from local.paper_exchange.listing import EVERY_SYMBOL
from local.paper_exchange.symbols import Symbol
from local.paper_exchange.venue import Book, Funding, Level, SymbolChange, Venue

_NUMBERS = {"tickSize": "tick", "stepSize": "step", "minNotional": "min_notional_usdt"}
FUNDING_HOURS = (1, 2, 4, 8)
STATUSES = (
    "PENDING_TRADING",
    "TRADING",
    "PRE_DELIVERING",
    "DELIVERING",
    "DELIVERED",
    "PRE_SETTLE",
    "SETTLING",
    "CLOSE",
)


def set_book(venue: Venue, name: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """Give the symbol levels: pairs of ticks from the last price and amount, by side or (`levels`) for both sides."""
    step = filters.find_symbol(venue, known_symbol(venue, name)).step
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
    venue.books.pop(known_symbol(venue, name), None)


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


def set_listing(venue: Venue, body: Mapping[str, Any]) -> dict[str, Any]:
    """List every symbol (`full`), or the dozen that are listed at first."""
    full = body.get("full")
    if not isinstance(full, bool):
        raise BadControlRequest("full must be true or false")
    venue.list_symbols(full=full)
    return {"full": full, "symbols": len(venue.listed())}


def change_symbol(venue: Venue, name: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """Change filters or the status of a symbol; standing orders stay as they are."""
    unknown = set(body) - {*_NUMBERS, "status"}
    if unknown:
        raise BadControlRequest(f"unknown fields: {', '.join(sorted(unknown))}")
    symbol = EVERY_SYMBOL[known_symbol(venue, name)]
    numbers = {field: amount(body[sent], sent) for sent, field in _NUMBERS.items() if sent in body}
    if any(number <= 0 for number in numbers.values()):
        raise BadControlRequest("a size must be greater than 0")
    finest = {"tick": symbol.price_digits, "step": symbol.amount_digits}
    if any(filters.decimal_places(numbers[size]) > digits for size, digits in finest.items() if size in numbers):
        raise BadControlRequest("a size cannot be finer than the symbol's precision")
    status = body.get("status")
    if status is not None and status not in STATUSES:
        raise BadControlRequest(f"status must be one of {', '.join(STATUSES)}")
    before = venue.changes.get(name, SymbolChange())
    venue.changes[name] = SymbolChange(
        tick=numbers.get("tick", before.tick),
        step=numbers.get("step", before.step),
        min_notional_usdt=numbers.get("min_notional_usdt", before.min_notional_usdt),
        status=before.status if status is None else status,
    )
    return symbol_json(filters.find_symbol(venue, name))


def settle_symbol(venue: Venue, name: str, now_ms: int) -> dict[str, Any]:
    """Delist or deliver the symbol: end its orders, and close its positions at the mark price."""
    settlement.settle(venue, known_symbol(venue, name), now_ms)
    return symbol_json(filters.find_symbol(venue, name))


def set_funding(venue: Venue, name: str, body: Mapping[str, Any], now_ms: int) -> dict[str, Any]:
    """Have funding at this rate booked by the clock, every so many hours of the day."""
    hours = body.get("intervalHours", 8)
    if hours not in FUNDING_HOURS:
        raise BadControlRequest(f"intervalHours must be one of {FUNDING_HOURS}")
    interval_ms = hours * 3_600_000
    next_ms = (now_ms // interval_ms + 1) * interval_ms
    venue.funding[known_symbol(venue, name)] = Funding(amount(body.get("rate"), "rate"), interval_ms, next_ms)
    return {"symbol": name, "nextFundingTime": next_ms}


def deleverage(venue: Venue, api_key: str, body: Mapping[str, Any], now_ms: int) -> None:
    """Close the account's position in a symbol at the mark price, as the exchange does to cover another's loss."""
    account = venue.find_account(api_key)
    held = account.held_positions(str(body.get("symbol"))) if account is not None else []
    if account is None or not held:
        raise BadControlRequest("no such position", 404)
    for position in held:
        settlement.close_at_mark(venue, account, position, client_id="adl_autoclose", now_ms=now_ms)


def symbol_json(symbol: Symbol) -> dict[str, str]:
    """Return what can be changed of a symbol."""
    return {
        "symbol": symbol.name,
        "tickSize": plain(symbol.tick),
        "stepSize": plain(symbol.step),
        "minNotional": plain(symbol.min_notional_usdt),
        "status": symbol.status,
    }


def _levels(pairs: Any, step: Decimal) -> list[Level]:
    if not isinstance(pairs, list) or not all(isinstance(pair, list) and len(pair) == 2 for pair in pairs):  # noqa: PLR2004
        raise BadControlRequest("levels must be pairs of ticks and amount")
    levels = [Level(int(ticks), amount(size, "amount")) for ticks, size in pairs]
    if any(level.ticks < 0 or level.amount <= 0 or level.amount % step for level in levels):
        raise BadControlRequest("a level's ticks are not negative, and its amount is a multiple of the step")
    return levels
