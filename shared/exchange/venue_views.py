"""The exchange's view of orders and accounts: exact decimals, enums, UTC times. Frozen; holds no rule."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from shared.trading.brackets import LeverageBracket
from shared.trading.entry_price import MarketPrices
from shared.trading.readiness import AccountSetup
from shared.trading.sides import Side
from shared.trading.sizing import AccountState, MarginMode


class VenueStatus(StrEnum):
    """The state of an order at the exchange."""

    OPEN = "OPEN"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    TRIGGERED = "TRIGGERED"
    """A conditional order that became (or is becoming) a regular one, `actual_order_id`."""
    FILLED = "FILLED"
    CANCELLED = "CANCELLED"
    EXPIRED = "EXPIRED"
    REJECTED = "REJECTED"
    UNKNOWN = "UNKNOWN"
    """A status that this code does not know; the filled amount is known all the same."""

    @property
    def is_open(self) -> bool:
        """Whether the order can still be filled."""
        return self in {VenueStatus.OPEN, VenueStatus.PARTIALLY_FILLED}


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderView:
    """One order, regular or conditional (an "algo order")."""

    client_order_id: str
    exchange_order_id: str
    conditional: bool
    status: VenueStatus
    type: str
    side: Side
    amount: Decimal
    filled: Decimal
    average: Decimal | None
    """Average fill price; None without a fill, or if the exchange did not return it."""
    price: Decimal | None
    """Limit price; None for a market order."""
    trigger_price: Decimal | None
    """Of a conditional order; None for a trailing stop."""
    reduce_only: bool
    close_position: bool
    actual_order_id: str | None
    """Of a triggered conditional order: the regular order that it became."""
    updated_at: datetime

    @property
    def remaining(self) -> Decimal:
        """The amount that it can still fill."""
        return self.amount - self.filled


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyView:
    """A key's permissions and its account's setup, independent of a symbol."""

    setup: AccountSetup
    wallet_balance: Decimal | None
    """The largest of the margin assets' balances; None if a key without futures could not read it."""
    clock_offset_ms: int
    """The exchange's clock minus ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountView:
    """Everything that an entry on one symbol depends on, read together."""

    wallet_balance: Decimal
    margin_balance: Decimal
    available_margin: Decimal
    position_amount: Decimal
    """Signed base amount on the symbol; negative is short."""
    open_orders: tuple[OrderView, ...]
    """Standing orders on the symbol, regular and conditional."""
    leverage: Decimal
    margin_mode: MarginMode
    brackets: tuple[LeverageBracket, ...]
    prices: MarketPrices
    setup: AccountSetup
    permissions_fresh: bool = True
    """False where the key's permissions in `setup` are those that were known before."""

    def state(self, *, maintenance_margin_rate: Decimal, bracket_notional_cap: Decimal) -> AccountState:
        """Return the values that sizing needs."""
        return AccountState(
            wallet_balance=self.wallet_balance,
            margin_balance=self.margin_balance,
            available_margin=self.available_margin,
            leverage=self.leverage,
            bracket_notional_cap=bracket_notional_cap,
            maintenance_margin_rate=maintenance_margin_rate,
            margin_mode=self.margin_mode,
        )


@dataclass(frozen=True, slots=True)
class PositionView:
    """What an account holds of one symbol."""

    amount: Decimal
    """Signed, in the base asset."""
    liquidation_price: Decimal | None
    """The mark price at which the exchange closes it; None if it does at none."""
