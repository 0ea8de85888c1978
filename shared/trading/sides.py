"""The words of a trade: its side, the type of its stop, and where it came from."""

from enum import StrEnum
from typing import assert_never


class Side(StrEnum):
    """The side of an order, and of the position that an entry on it opens."""

    BUY = "BUY"
    SELL = "SELL"

    @property
    def opposite(self) -> "Side":
        """The side that closes what this one opened."""
        match self:
            case Side.BUY:
                return Side.SELL
            case Side.SELL:
                return Side.BUY
            case _:
                assert_never(self)

    @property
    def sign(self) -> int:
        """1 where a rising price wins, -1 where a falling one does."""
        return 1 if self is Side.BUY else -1


class StopType(StrEnum):
    """How a stop leaves the position once it triggers."""

    MARKET = "MARKET"
    LIMIT = "LIMIT"


class StrategySource(StrEnum):
    """Who fired a trigger."""

    TRADINGVIEW = "TRADINGVIEW"
    ADMIN = "ADMIN"
