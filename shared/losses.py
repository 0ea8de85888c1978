"""Reads what an account has lost by our executions, for followers with a loss limit. Denies and closes nothing.

Positions are priced by the market's prices, which all followers share: no request is made for one account.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from shared.clock import to_iso, utc_now
from shared.errors import OrderDenied
from shared.models.execution import Execution
from shared.models.position_slot import PositionSlot
from shared.trading.entry_price import MarketPrices
from shared.trading.execution import DenialReason, Desired, ExecutionState
from shared.trading.loss_limit import AccountLosses, BookedResult, LimitReached
from shared.trading.risk import BASE_TAKER_RATE, loss_at_stop
from shared.trading.symbols import assets_of


@dataclass(frozen=True, slots=True)
class HeldPosition:
    """What one of our executions holds."""

    execution: Execution
    amount: Decimal

    @property
    def is_unbooked(self) -> bool:
        """Whether it has been closed already: then its result is neither booked nor that of the present price."""
        return self.execution.exited_at is not None

    def profit_at(self, prices: MarketPrices) -> Decimal:
        """Return what closing it at the last price would earn, the fees of both ways included."""
        execution = self.execution
        if execution.entry_price is None:
            return Decimal(0)  # filled a moment ago
        return -loss_at_stop(
            side=execution.side,
            amount=self.amount,
            entry_price=execution.entry_price,
            stop_price=prices.last,
            taker_rate=execution.taker_rate or BASE_TAKER_RATE,
        )


def limits_losses(execution: Execution) -> bool:
    """Return whether the execution's follower has a loss limit."""
    return execution.entry_settings is not None and execution.entry_settings.loss_limit is not None


def closes_at_limit(execution: Execution) -> bool:
    """Return whether the execution holds a position that its follower's loss limit would close."""
    settings = execution.entry_settings
    limit = settings.loss_limit if settings is not None else None
    open_with_stop = execution.state is ExecutionState.PROTECTED and execution.desired is Desired.OPEN
    return limit is not None and limit.close and open_with_stop and execution.exited_at is None


def read_held(execution: Execution) -> list[HeldPosition]:
    """Return what our executions hold on the account in the same quote asset, or have not booked yet (blocking)."""
    quote = assets_of(execution.symbol)[1]
    slots = [
        slot
        for slot in PositionSlot.query(execution.api_key_id, consistent_read=True)
        if slot.execution_id is not None and assets_of(slot.symbol)[1] == quote
    ]
    found = Execution.find_many((slot.execution_id for slot in slots), consistent=True)
    held = [
        HeldPosition(found[slot.execution_id], slot.quantity or Decimal(0))
        for slot in slots
        if slot.execution_id in found and found[slot.execution_id].active
    ]
    return [one for one in held if one.amount or one.is_unbooked]


def symbols_of(held: Iterable[HeldPosition]) -> list[str]:
    """Return the symbols whose prices are needed."""
    return sorted({one.execution.symbol for one in held})


def judge(
    execution: Execution,
    results: Iterable[BookedResult],
    held: Iterable[HeldPosition],
    prices: Mapping[str, MarketPrices],
    *,
    wallet: Decimal,
) -> LimitReached | None:
    """Return until when the follower's limit is reached; None if it is not, or there is none."""
    limit = execution.entry_settings.loss_limit if execution.entry_settings is not None else None
    if limit is None:
        return None
    open_profit = sum((one.profit_at(prices[one.execution.symbol]) for one in held), Decimal(0))
    losses = AccountLosses(results=tuple(results), open_profit=open_profit, wallet=wallet)
    return losses.reached(limit, now=utc_now())


def denial_of(reached: LimitReached) -> OrderDenied:
    """Return the denial of an entry, with until when."""
    until = "open positions are closed" if reached.until is None else to_iso(reached.until)
    return OrderDenied(DenialReason.LOSS_LIMIT, f"until {until}")
