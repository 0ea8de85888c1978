"""The weights of the exchange's requests (USD-M futures, per address and minute), and the weight of an entry.

Source: the exchange's documentation of each endpoint. A test compares the sums with the headers of a real entry.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

WINDOW_MS = 60_000
"""The exchange counts weight by the minutes of its own clock."""

ENTRY_SHARE_PCT = 60
"""The share of an address's weight for entries; the rest is left for exits and reconciliation, without reservation."""

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
