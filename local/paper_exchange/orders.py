"""The engine's records: orders, algo orders, fills, incomes, positions. Data only; matching.py changes them."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

ZERO = Decimal(0)


class Side(StrEnum):
    """The side of an order."""

    BUY = "BUY"
    SELL = "SELL"

    @property
    def sign(self) -> int:
        """Return +1 for BUY, -1 for SELL."""
        return 1 if self is Side.BUY else -1

    @property
    def other(self) -> Side:
        """Return the opposite side."""
        return Side.SELL if self is Side.BUY else Side.BUY


class PositionSide(StrEnum):
    """The position an order belongs to; BOTH is one-way mode."""

    BOTH = "BOTH"
    LONG = "LONG"
    SHORT = "SHORT"


class OrderType(StrEnum):
    """Every order type of the futures and the spot endpoints that is served here."""

    MARKET = "MARKET"
    LIMIT = "LIMIT"
    LIMIT_MAKER = "LIMIT_MAKER"
    STOP = "STOP"
    STOP_MARKET = "STOP_MARKET"
    TAKE_PROFIT = "TAKE_PROFIT"
    TAKE_PROFIT_MARKET = "TAKE_PROFIT_MARKET"
    TRAILING_STOP_MARKET = "TRAILING_STOP_MARKET"
    LIQUIDATION = "LIQUIDATION"

    @property
    def is_conditional(self) -> bool:
        """Return whether the type waits for a trigger, so belongs to the algo endpoints."""
        return self in _CONDITIONAL

    @property
    def is_take_profit(self) -> bool:
        """Return whether the trigger lies on the winning side."""
        return self in (OrderType.TAKE_PROFIT, OrderType.TAKE_PROFIT_MARKET)

    @property
    def becomes_limit(self) -> bool:
        """Return whether the triggered order rests at a price of its own."""
        return self in (OrderType.STOP, OrderType.TAKE_PROFIT)


_CONDITIONAL = frozenset(
    {
        OrderType.STOP,
        OrderType.STOP_MARKET,
        OrderType.TAKE_PROFIT,
        OrderType.TAKE_PROFIT_MARKET,
        OrderType.TRAILING_STOP_MARKET,
    }
)


class TimeInForce(StrEnum):
    """How long an order lives."""

    GTC = "GTC"
    IOC = "IOC"
    FOK = "FOK"
    GTX = "GTX"
    GTD = "GTD"
    GTE_GTC = "GTE_GTC"


class OrderStatus(StrEnum):
    """The state of a regular order."""

    NEW = "NEW"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"
    EXPIRED_IN_MATCH = "EXPIRED_IN_MATCH"

    @property
    def is_open(self) -> bool:
        """Return whether the order can still fill."""
        return self in (OrderStatus.NEW, OrderStatus.PARTIALLY_FILLED)


class AlgoStatus(StrEnum):
    """The state of an algo order; TRIGGERED is one whose regular order still rests."""

    NEW = "NEW"
    TRIGGERED = "TRIGGERED"
    FINISHED = "FINISHED"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"
    REJECTED = "REJECTED"


class WorkingType(StrEnum):
    """The price that a trigger watches."""

    CONTRACT_PRICE = "CONTRACT_PRICE"
    MARK_PRICE = "MARK_PRICE"


class Wallet(StrEnum):
    """The market an order was made on."""

    FUTURES = "FUTURES"
    SPOT = "SPOT"


@dataclass(slots=True)
class Position:
    """A position in one symbol; a negative amount is short."""

    symbol: str
    position_side: PositionSide = PositionSide.BOTH
    amount: Decimal = ZERO
    entry_price: Decimal = ZERO
    updated_ms: int = 0
    isolated_wallet: Decimal = ZERO
    """What the position holds of the wallet; 0 with cross margin, where it may use all of it."""


@dataclass(slots=True)
class Order:
    """A regular order, futures or spot."""

    order_id: int
    client_order_id: str
    symbol: str
    side: Side
    order_type: OrderType
    quantity: Decimal
    created_ms: int
    updated_ms: int
    wallet: Wallet = Wallet.FUTURES
    position_side: PositionSide = PositionSide.BOTH
    original_type: OrderType = OrderType.MARKET
    time_in_force: TimeInForce = TimeInForce.GTC
    price: Decimal = ZERO
    trigger_price: Decimal = ZERO
    working_type: WorkingType = WorkingType.CONTRACT_PRICE
    reduce_only: bool = False
    close_position: bool = False
    status: OrderStatus = OrderStatus.NEW
    executed: Decimal = ZERO
    executed_quote: Decimal = ZERO
    quote_quantity: Decimal = ZERO
    algo_id: int | None = None
    good_till_ms: int = 0
    fills_part: bool = False

    @property
    def remaining(self) -> Decimal:
        """Return the unfilled quantity."""
        return self.quantity - self.executed

    @property
    def average_price(self) -> Decimal:
        """Return the mean price of the fills, 0 before the first."""
        return self.executed_quote / self.executed if self.executed else ZERO


@dataclass(slots=True)
class AlgoOrder:
    """A conditional order, listed apart from the regular ones."""

    algo_id: int
    client_algo_id: str
    symbol: str
    side: Side
    order_type: OrderType
    created_ms: int
    updated_ms: int
    position_side: PositionSide = PositionSide.BOTH
    time_in_force: TimeInForce = TimeInForce.GTC
    quantity: Decimal = ZERO
    price: Decimal = ZERO
    trigger_price: Decimal = ZERO
    activate_price: Decimal = ZERO
    callback_rate_pct: Decimal = ZERO
    extreme_price: Decimal | None = None
    working_type: WorkingType = WorkingType.CONTRACT_PRICE
    close_position: bool = False
    reduce_only: bool = False
    price_protect: bool = False
    status: AlgoStatus = AlgoStatus.NEW
    triggered_ms: int = 0
    actual_order_id: int | None = None
    fail_reason: str = ""
    fills_part: bool = False


@dataclass(slots=True)
class Trade:
    """One fill. `realized_usdt` is before the fee, as Binance reports it."""

    trade_id: int
    order_id: int
    symbol: str
    side: Side
    price: Decimal
    quantity: Decimal
    fee: Decimal
    fee_asset: str
    is_maker: bool
    time_ms: int
    wallet: Wallet = Wallet.FUTURES
    position_side: PositionSide = PositionSide.BOTH
    realized_usdt: Decimal = ZERO


class IncomeType(StrEnum):
    """Why the futures wallet changed."""

    TRANSFER = "TRANSFER"
    REALIZED_PNL = "REALIZED_PNL"
    COMMISSION = "COMMISSION"
    FUNDING_FEE = "FUNDING_FEE"
    SPECIAL_FUNDING_FEE = "SPECIAL_FUNDING_FEE"
    INSURANCE_CLEAR = "INSURANCE_CLEAR"


@dataclass(slots=True)
class Income:
    """One change of the futures wallet."""

    income_id: int
    income_type: IncomeType
    amount: Decimal
    asset: str
    time_ms: int
    symbol: str = ""
    trade_id: int | None = None
    info: str = field(default="")
