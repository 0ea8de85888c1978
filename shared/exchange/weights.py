"""What requests weigh at the exchange (USD-M futures, weight per address and minute), and what an entry needs of it.

Sources: the exchange's documentation of each endpoint. A test holds the sums against the headers of a real entry.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

WINDOW_MS = 60_000
"""The exchange counts by the minutes of its own clock."""

ENTRY_SHARE_PCT = 60
"""What entries may use of an address's weight; the rest is kept for exits and looks, which never ask."""

LOOK_UP = 1
ENTRY_READS: Mapping[str, int] = MappingProxyType(
    {
        "fapiPrivateV3GetAccount": 5,
        "fapiPrivateGetAccountConfig": 5,
        "fapiPrivateGetSymbolConfig": 5,
        "fapiPrivateGetOpenOrders": 1,
        "fapiPrivateGetOpenAlgoOrders": 1,
        "fapiPrivateGetLeverageBracket": 1,
        "fapiPublicGetTickerPrice": 1,
    }
)
"""What is read before an entry (`sapiGetAccountApiRestrictions` counts in a pool of its own)."""

ENTRY_WRITES: Mapping[str, int] = MappingProxyType(
    {
        "fapiPrivatePostOrder": 0,
        "fapiPrivatePostAlgoOrder": 0,
        "fapiPrivatePostBatchOrders": 5,
    }
)
"""The entry, its stop and trailing stop, its take-profits. Orders are counted per account, not per address."""

ENTRY = sum(ENTRY_READS.values()) + LOOK_UP + sum(ENTRY_WRITES.values()) + LOOK_UP
"""An entry with its exits: what was read, what is sent, and one look-up each of the entry and of the stop."""
