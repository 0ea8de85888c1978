"""Reads the values of control requests, and writes numbers. Changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from local.paper_exchange.venue import Venue


class BadControlRequest(Exception):
    """An invalid control request."""

    def __init__(self, message: str, status: int = 400) -> None:
        self.status = status
        super().__init__(message)


def known_symbol(venue: Venue, name: str) -> str:
    """Return the name of a listed symbol; raise BadControlRequest for any other."""
    if venue.symbol(name) is None:
        raise BadControlRequest("no such symbol", 404)
    return name


def amount(value: Any, name: str) -> Decimal:
    """Return a finite number; raise BadControlRequest for anything else."""
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        raise BadControlRequest(f"{name} must be a number") from None
    if not number.is_finite():
        raise BadControlRequest(f"{name} must be a number")
    return number


def ban_ms(body: Mapping[str, Any]) -> int:
    """Return how long a ban lasts, in milliseconds; raise BadControlRequest for no number above 0."""
    seconds = amount(body.get("seconds"), "seconds")
    if seconds <= 0:
        raise BadControlRequest("seconds must be above 0")
    return int(seconds * 1000)


def amounts(values: Any) -> dict[str, Decimal]:
    """Return amounts by asset."""
    if not isinstance(values, Mapping):
        raise BadControlRequest("balances must be an object")
    return {str(asset): amount(value, str(asset)) for asset, value in values.items()}


def plain(value: Decimal) -> str:
    """Return the number without exponent or trailing zeros."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
