"""Books a position from the fills that opened and closed it. Fetches nothing, stores nothing."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Context, Decimal

from shared.trading.arithmetic import exact
from shared.trading.execution import CloseReason
from shared.trading.ids import TAKE_PROFIT_LEGS, Leg, parse_client_order_id
from shared.trading.sides import Side

# Averages need not end; what is stored does.
_STORED = Context(prec=28)

# The client order ids under which the exchange itself closes a position.
_EXCHANGE_CLOSES = {"autoclose-": CloseReason.LIQUIDATION, "adl_autoclose": CloseReason.AUTO_DELEVERAGED}

_CLOSED_BY = {
    Leg.STOP: CloseReason.STOP,
    Leg.STOP_BACKSTOP: CloseReason.STOP,
    **dict.fromkeys(TAKE_PROFIT_LEGS, CloseReason.TAKE_PROFIT),
    Leg.TRAILING: CloseReason.TRAILING,
    Leg.FLATTEN: CloseReason.FLATTENED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fill:
    """One execution of an order at the exchange; `fee` is what was paid, `realized_pnl` the exchange's own word."""

    order_id: str
    client_order_id: str
    side: Side
    price: Decimal
    amount: Decimal
    fee: Decimal
    realized_pnl: Decimal
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Booking:
    """What became of one execution's position, open or closed; money in the margin asset."""

    entered_amount: Decimal
    exited_amount: Decimal
    entry_price: Decimal
    exit_price: Decimal | None
    fee: Decimal
    gross_profit: Decimal
    """From prices, before fees."""
    net_profit: Decimal
    profit_pct: Decimal
    """Net profit in percent of what the entry cost."""
    reported_pnl: Decimal
    """The exchange's own sum for the same fills, to compare with."""
    close_reason: CloseReason | None
    """What closed the last part; None while something is open."""
    opened_at: datetime
    closed_at: datetime | None

    @property
    def open_amount(self) -> Decimal:
        """What is still open."""
        return self.entered_amount - self.exited_amount


def book_position(
    *,
    execution_id: str,
    entry_side: Side,
    fills: Iterable[Fill],
    prefix: str,
    deliberate: CloseReason = CloseReason.ADMIN,
) -> Booking | None:
    """Return the booking of an execution's fills, or None if nothing was entered.

    `fills` are all of the symbol since the entry. Those of other executions are left out; those that are nobody's
    close what is ours, up to our amount and no more. `deliberate` says why a CLOSE leg was sent.
    """
    ours = sorted((fill for fill in fills if _concerns(fill, execution_id, prefix=prefix)), key=lambda fill: fill.at)
    entries = [fill for fill in ours if _leg_of(fill, prefix=prefix) is Leg.ENTRY]
    if not entries:
        return None
    opened_at = entries[0].at
    closing = [fill for fill in ours if fill.side is not entry_side and fill.at >= opened_at]
    with exact():
        entered = sum((fill.amount for fill in entries), Decimal(0))
        exits = _take(closing, amount=entered)
        exited = sum((fill.amount for fill in exits), Decimal(0))
        entry_value = sum((fill.price * fill.amount for fill in entries), Decimal(0))
        exit_value = sum((fill.price * fill.amount for fill in exits), Decimal(0))
        fee = sum((fill.fee for fill in (*entries, *exits)), Decimal(0))
        gross = entry_side.sign * (exit_value - entry_value * exited / entered)
        closed = exited == entered
        return Booking(
            entered_amount=entered,
            exited_amount=exited,
            entry_price=_STORED.plus(entry_value / entered),
            exit_price=_STORED.plus(exit_value / exited) if exited else None,
            fee=_STORED.plus(fee),
            gross_profit=_STORED.plus(gross),
            net_profit=_STORED.plus(gross - fee),
            profit_pct=_STORED.plus((gross - fee) * 100 / entry_value),
            reported_pnl=_STORED.plus(sum((fill.realized_pnl for fill in exits), Decimal(0))),
            close_reason=_close_reason(exits[-1], prefix=prefix, deliberate=deliberate) if closed else None,
            opened_at=opened_at,
            closed_at=exits[-1].at if closed else None,
        )


def _concerns(fill: Fill, execution_id: str, *, prefix: str) -> bool:
    ref = parse_client_order_id(fill.client_order_id, prefix=prefix)
    return ref is None or ref.execution_id == execution_id


def _leg_of(fill: Fill, *, prefix: str) -> Leg | None:
    ref = parse_client_order_id(fill.client_order_id, prefix=prefix)
    return ref.leg if ref else None


def _take(fills: list[Fill], *, amount: Decimal) -> list[Fill]:
    """Return the first fills up to an amount, the last one in part if need be."""
    taken = []
    for fill in fills:
        share = min(fill.amount, amount)
        if not share:
            break
        taken.append(fill if share == fill.amount else _part_of(fill, share))
        amount -= share
    return taken


def _part_of(fill: Fill, amount: Decimal) -> Fill:
    return replace(
        fill,
        amount=amount,
        fee=fill.fee * amount / fill.amount,
        realized_pnl=fill.realized_pnl * amount / fill.amount,
    )


def _close_reason(fill: Fill, *, prefix: str, deliberate: CloseReason) -> CloseReason:
    for exchange_prefix, reason in _EXCHANGE_CLOSES.items():
        if fill.client_order_id.startswith(exchange_prefix):
            return reason
    leg = _leg_of(fill, prefix=prefix)
    if leg is Leg.CLOSE:
        return deliberate
    return CloseReason.MANUAL if leg is None else _CLOSED_BY[leg]
