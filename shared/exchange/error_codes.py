"""Classifies the exchange's error codes and HTTP statuses by what a caller may do next.

Sources: Binance USD-M futures, "Error Codes" and "General Info" (HTTP return codes).
"""

from __future__ import annotations

import re

from shared.errors import (
    AddressBanned,
    AddressRestricted,
    ClockSkewed,
    ExchangeAuthorizationFailed,
    ExchangeError,
    ExchangeRejected,
    ExchangeThrottled,
    ExchangeUnavailable,
    InsufficientMargin,
    OrderRateExceeded,
    OrderUnknown,
    OutcomeUnknown,
    StopWouldTrigger,
)

HTTP_OK_BELOW = 400
HTTP_BANNED = 418
HTTP_THROTTLED = 429
HTTP_RESTRICTED = 451
"""Our address is in a country that the exchange does not serve; the code is 0."""
HTTP_FIREWALL = 403
"""The exchange's web application firewall, which sends no code: our address must slow down."""
HTTP_UNAUTHORIZED = frozenset({401})
HTTP_SERVER_ERROR_FROM = 500
HTTP_REQUEST_TIMEOUT = 408

ERROR_CLASSES: dict[int, type[ExchangeError]] = {
    # The key, its permissions, or the address it is used from.
    -1002: ExchangeAuthorizationFailed,
    -1022: ExchangeAuthorizationFailed,
    -2014: ExchangeAuthorizationFailed,
    -2015: ExchangeAuthorizationFailed,
    -2017: ExchangeAuthorizationFailed,
    # Certainly not executed; may be sent again.
    -1003: ExchangeThrottled,
    -1015: OrderRateExceeded,
    -1008: ExchangeUnavailable,
    -1016: ExchangeUnavailable,
    -1021: ClockSkewed,
    # May have been executed.
    -1000: OutcomeUnknown,
    -1001: OutcomeUnknown,
    -1006: OutcomeUnknown,
    -1007: OutcomeUnknown,
    # Refused.
    -2018: InsufficientMargin,
    -2019: InsufficientMargin,
    -2021: StopWouldTrigger,
    -2011: OrderUnknown,
    -2013: OrderUnknown,
}
"""Binance's code → our class; every other code is an ExchangeRejected: refused, and nothing was changed."""

NOT_EXECUTED_SERVER_ERRORS = ("service unavailable", "internal error; unable to process your request")
"""Beginnings of the texts with which a 503 means "not executed"; every other 5xx leaves the outcome unknown."""

DUPLICATE_CLIENT_ID = frozenset({-4116, -4111})
"""An open order has this client id: an earlier request of ours placed it."""

CLOSE_POSITION_EXISTS = -4130
"""There is a closePosition stop on this side already."""

REDUCE_ONLY_REFUSED = frozenset({-2022, -4118})
"""Nothing to reduce, or standing reduce-only orders overlap the close."""

FILTERS_CONTRADICTED = frozenset(
    {-1013, -1111, -4001, -4002, -4003, -4004, -4005, -4006, -4007, -4013, -4014, -4023, -4029, -4030, -4164}
) | frozenset({-4108, -4140})
"""A price or an amount that our filters allow is refused, or any order (the last two): the symbol's filters, or whether
it trades, are other than what we have read."""

BRACKETS_CONTRADICTED = frozenset({-2027})
"""A notional that our brackets allow at this leverage is refused: the symbol's brackets are others by now."""

POSITION_NOT_SEEN = frozenset({-4509}) | REDUCE_ONLY_REFUSED
"""What closes a position is refused for want of one; right after a fill, the exchange's books may be late."""


USED_WEIGHT_HEADER = "X-MBX-USED-WEIGHT-1M"
"""The request weight that our address has used in this minute, the answered request included."""

USED_WEIGHT_INACCURATE = ("/fapi/v1/ticker/bookTicker", "/fapi/v2/ticker/price")
"""Paths on which that header is not accurate, by the exchange's own description of them."""

SHORTEST_BAN_S = 120.0
LONGEST_BAN_S = 3 * 24 * 3600.0
ORDER_RATE_WAIT_S = 10.0
"""Orders of an account are counted by 10 s and by the minute."""

_BANNED_UNTIL = re.compile(r"banned until (\d{13})")


def banned_until_ms(text: str) -> int | None:
    """Return when a ban ends, by the exchange's clock, where its message says so."""
    found = _BANNED_UNTIL.search(text)
    return int(found.group(1)) if found else None


def classify(*, status: int, code: int | None, text: str) -> type[ExchangeError] | None:  # noqa: PLR0911 - one return per kind of answer
    """Return the error class of an HTTP response, or None for a success; `text` is the exchange's own message."""
    if status == HTTP_BANNED:
        return AddressBanned
    if status == HTTP_RESTRICTED:
        return AddressRestricted
    if code is not None and code < 0:
        known = ERROR_CLASSES.get(code)
        if known is not None:
            return known
    if status == HTTP_THROTTLED or (status == HTTP_FIREWALL and code is None):
        return ExchangeThrottled
    if status >= HTTP_SERVER_ERROR_FROM:
        certain = text.strip().lower().startswith(NOT_EXECUTED_SERVER_ERRORS)
        return ExchangeUnavailable if certain else OutcomeUnknown
    if status == HTTP_REQUEST_TIMEOUT:
        return OutcomeUnknown
    if status in HTTP_UNAUTHORIZED:
        return ExchangeAuthorizationFailed
    if status >= HTTP_OK_BELOW or (code is not None and code < 0):
        return ExchangeRejected
    return None
