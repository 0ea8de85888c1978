"""Enumerations of triggers and orders: what a trigger does, the side of an order, the type of its stop, its source."""

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


class TriggerAction(StrEnum):
    """What a trigger does to a strategy's positions."""

    OPEN = "OPEN"
    """Opens positions, and closes those on the other side first."""
    CLOSE = "CLOSE"
    """Closes what is open, and opens nothing."""
    REDUCE = "REDUCE"
    """Closes a part of what is open, and opens nothing."""
    UPDATE = "UPDATE"
    """Changes stop and targets of what is open; opens and closes nothing."""


class MarketPosition(StrEnum):
    """A strategy's position after an alert, as TradingView's `{{strategy.market_position}}` names it."""

    LONG = "LONG"
    SHORT = "SHORT"
    FLAT = "FLAT"

    @classmethod
    def opened_by(cls, side: Side) -> "MarketPosition":
        """Return the position that an entry on this side opens."""
        return cls.LONG if side is Side.BUY else cls.SHORT

    @property
    def side(self) -> Side | None:
        """The side of the entry that opens it; None if it is flat."""
        match self:
            case MarketPosition.LONG:
                return Side.BUY
            case MarketPosition.SHORT:
                return Side.SELL
            case MarketPosition.FLAT:
                return None
            case _:
                assert_never(self)
