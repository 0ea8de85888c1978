"""The weights of the exchange's requests (USD-M futures, per address and minute), and of the work that sends them.

Source: the exchange's documentation of each endpoint. A test compares the sums with the headers of a real entry.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

WINDOW_MS = 60_000
"""The exchange counts weight by the minutes of its own clock."""

LOOK_UP = 1
ENTRY_READS: Mapping[str, int] = MappingProxyType(
    {
        "fapiPrivateV2GetAccount": 5,
        "fapiPrivateGetOpenOrders": 1,
        "fapiPrivateGetOpenAlgoOrders": 1,
        "fapiPrivateGetLeverageBracket": 1,
        "fapiPublicGetTickerPrice": 1,
        "fapiPublicGetTickerBookTicker": 2,
    }
)
"""The reads before an entry (`sapiGetAccountApiRestrictions` counts in another pool).

Prices and brackets are shared in a container; each entry counts as if it were the one that reads them.
"""

ENTRY_WRITES: Mapping[str, int] = MappingProxyType({"fapiPrivatePostOrder": 0, "fapiPrivatePostAlgoOrder": 0})
"""The entry, its stop and trailing stop, and its take-profits. Single orders count per account, not per address; a
batch weighs 5."""

ENTRY = sum(ENTRY_READS.values()) + LOOK_UP + sum(ENTRY_WRITES.values()) + LOOK_UP
"""An entry with its exits: its reads, its writes, and one look-up each of the entry and of the stop."""

STANDING_ORDERS = 2
"""The lists of regular and of conditional orders of a symbol."""
POSITION = 5
FILLS = 5
CANCELS = 7
"""Of every exit that a position may have: stop, backstop, four take-profits, trailing stop."""

CLOSE = STANDING_ORDERS + CANCELS + FILLS + LOOK_UP
"""A close that succeeds at once: its order weighs nothing, and what its answer says is not read again."""

ENTRY_HOLD = ENTRY + CLOSE
"""What an entry holds until it is protected: should its stop fail, the position is closed."""

LOOK = POSITION + STANDING_ORDERS
"""Reconciling an open position; the fills come on top, and are read only if something has moved."""

REDUCTION = LOOK + CLOSE + STANDING_ORDERS
"""A look, then a close of a part, before which the orders are listed once more; the fills come on top."""

PRICES = 3
"""Of one symbol; accounts of a container share them, and each work counts as if it were the one that reads them."""

UPDATE = LOOK + PRICES + 3 * LOOK_UP + 3
"""A look that moves the stop: look-ups of the stop, its backstop and the stop that holds their place, and their
cancels; the fills come on top."""
RETARGETING = PRICES + 4
"""On top, where an update replaces the take-profits: the prices once more, and four cancels."""

BOOKING = 4 * LOOK_UP + 5
"""The orders of up to four fills that are unknown, and the balance; the fills and the funding come on top."""
FUNDING = 30
"""Of a request for funding."""
