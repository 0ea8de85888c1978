"""Enumerations of an order: its side, the type of its stop, and its source."""

from enum import StrEnum
from typing import assert_never


class Side(StrEnum):
    """The side of an order, and of the position that an entry on it opens."""

    BUY = "BUY"
    SELL = "SELL"

    @property
    def opposite(self) -> "Side":
        """The side of the order that closes a position of this side."""
        match self:
            case Side.BUY:
                return Side.SELL
            case Side.SELL:
                return Side.BUY
            case _:
                assert_never(self)

    @property
    def sign(self) -> int:
        """1 if a rising price makes a profit, -1 if a falling one does."""
        return 1 if self is Side.BUY else -1


class StopType(StrEnum):
    """The type of order that a stop becomes once it is triggered."""

    MARKET = "MARKET"
    LIMIT = "LIMIT"


class StrategySource(StrEnum):
    """The source of a trigger."""

    TRADINGVIEW = "TRADINGVIEW"
    ADMIN = "ADMIN"
