"""Calculates a position's amounts, prices and profit from its fills. Fetches nothing, stores nothing."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Context, Decimal

from shared.trading.arithmetic import exact
from shared.trading.execution import CloseReason
from shared.trading.funding import FundingPayment, Holding, Income, own_funding, whole_hour
from shared.trading.ids import ENTRY_LEGS, TAKE_PROFIT_LEGS, Leg, parse_client_order_id
from shared.trading.sides import Side

# The decimals of an average may never end; what is stored is cut to 28 digits.
_STORED = Context(prec=28)

# The client order ids under which the exchange itself closes a position.
_EXCHANGE_CLOSES = {
    "autoclose-": CloseReason.LIQUIDATION,
    "adl_autoclose": CloseReason.AUTO_DELEVERAGED,
    "settlement_autoclose-": CloseReason.DELISTED,
}

_CLOSED_BY = {
    Leg.STOP: CloseReason.STOP,
    Leg.STOP_BACKSTOP: CloseReason.STOP,
    **dict.fromkeys(TAKE_PROFIT_LEGS, CloseReason.TAKE_PROFIT),
    Leg.TRAILING: CloseReason.TRAILING,
    Leg.REDUCE: CloseReason.EXIT_ALERT,
    Leg.FLATTEN: CloseReason.FLATTENED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fill:
    """One match of an order at the exchange; `realized_pnl` is the exchange's own figure."""

    order_id: str
    client_order_id: str
    side: Side
    price: Decimal
    amount: Decimal
    fee: Decimal
    """Paid in `fee_asset`."""
    fee_asset: str
    realized_pnl: Decimal
    at: datetime
    fee_price: Decimal | None = None
    """Of `fee_asset` in the margin asset, about when it filled; None if unknown."""

    @property
    def fee_value(self) -> Decimal:
        """The fee in the margin asset; 0 while its price is unknown."""
        return self.fee * (self.fee_price or Decimal(0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Booking:
    """The result of one execution's position, open or closed; money in the margin asset."""

    entered_amount: Decimal
    exited_amount: Decimal
    entry_price: Decimal
    exit_price: Decimal | None
    fee: Decimal
    """Of its fills, and of a liquidation."""
    funding: Decimal
    """Received while the position was held; negative when paid."""
    gross_profit: Decimal
    """Before fees and funding."""
    net_profit: Decimal
    profit_pct: Decimal
    """Net profit in percent of the entry's cost."""
    reported_pnl: Decimal
    """The exchange's own profit for the same fills, for comparison."""
    close_reason: CloseReason | None
    """How the last part was closed; None while something is open."""
    opened_at: datetime
    closed_at: datetime | None

    @property
    def open_amount(self) -> Decimal:
        """The amount that is still open."""
        return self.entered_amount - self.exited_amount


@dataclass(slots=True)
class _Position:
    """A position fill by fill, divided into our amount and the foreign amount of the account's owner.

    What the owner sells reduces the foreign amount first, then ours. Our closing orders reduce our amount; what they
    close beyond it (a stop that closes the whole position) reduces the foreign amount.
    """

    entry_side: Side
    ours: Decimal = Decimal(0)
    foreign: Decimal = Decimal(0)
    entries: list[Fill] = field(default_factory=list)
    exits: list[Fill] = field(default_factory=list)
    holdings: list[Holding] = field(default_factory=list)

    def apply(self, fill: Fill, leg: Leg | None) -> None:
        if fill.side is self.entry_side:
            self._increase(fill, leg)
        else:
            self._reduce(fill, leg)
        if self.entries:
            self.holdings.append(Holding(fill.at, self.ours, self.ours + self.foreign))

    def _increase(self, fill: Fill, leg: Leg | None) -> None:
        if leg in ENTRY_LEGS:
            self.entries.append(fill)
            self.ours += fill.amount
        elif self.entries:
            self.foreign += fill.amount

    def _reduce(self, fill: Fill, leg: Leg | None) -> None:
        if not self.entries:
            return  # before our entry, which needs a flat account
        theirs = min(max(self.foreign, Decimal(0)), fill.amount) if leg is None else Decimal(0)
        share = min(self.ours, fill.amount - theirs)
        if share:
            self.exits.append(fill if share == fill.amount else _part_of(fill, share))
        self.ours -= share
        self.foreign -= fill.amount - share


def book_position(
    *,
    execution_id: str,
    entry_side: Side,
    fills: Iterable[Fill],
    prefix: str,
    close_leg_reason: CloseReason = CloseReason.ADMIN,
    payments: Iterable[FundingPayment] = (),
    liquidation_fees: Iterable[Income] = (),
) -> Booking | None:
    """Return the booking of an execution's fills, or None if nothing was entered.

    `fills` are all of the symbol since the entry, in the exchange's order. Fills of other executions are ignored;
    foreign ones close at most our amount. `close_leg_reason` is the reason of a CLOSE leg. A fee without a price counts
    0. `payments` are the account's funding on the symbol, `liquidation_fees` what its liquidation cost beside the fees
    of its fills.
    """
    everything = sorted(fills, key=lambda fill: fill.at)
    with exact():
        position = _Position(entry_side)
        for fill in everything:
            if _concerns(fill, execution_id, prefix=prefix):
                position.apply(fill, _leg_of(fill, prefix=prefix))
        entries, exits = position.entries, position.exits
        if not entries:
            return None
        entered = sum((fill.amount for fill in entries), Decimal(0))
        exited = entered - position.ours
        entry_value = sum((fill.price * fill.amount for fill in entries), Decimal(0))
        exit_value = sum((fill.price * fill.amount for fill in exits), Decimal(0))
        fee = sum((fill.fee_value for fill in (*entries, *exits)), Decimal(0))
        fee += _own_liquidation_fee(liquidation_fees, exits=exits, everything=everything)
        gross = entry_side.sign * (exit_value - entry_value * exited / entered)
        funding = own_funding(payments, holdings=position.holdings, traded_at=(fill.at for fill in everything))
        net = gross - fee + funding
        closed = exited == entered
        return Booking(
            entered_amount=entered,
            exited_amount=exited,
            entry_price=_STORED.plus(entry_value / entered),
            exit_price=_STORED.plus(exit_value / exited) if exited else None,
            fee=_STORED.plus(fee),
            funding=_STORED.plus(funding),
            gross_profit=_STORED.plus(gross),
            net_profit=_STORED.plus(net),
            profit_pct=_STORED.plus(net * 100 / entry_value),
            reported_pnl=_STORED.plus(sum((fill.realized_pnl for fill in exits), Decimal(0))),
            close_reason=_close_reason(exits[-1], prefix=prefix, close_leg_reason=close_leg_reason) if closed else None,
            opened_at=entries[0].at,
            closed_at=exits[-1].at if closed else None,
        )


@dataclass(frozen=True, slots=True)
class NetFill:
    """What consecutive fills of the owner have changed together, in the place of the last of them."""

    numbers: tuple[int, ...]
    """The exchange's numbers of these fills."""
    fill: Fill
    """Its amount is 0 where they cancel each other out. It has no fee and no profit: those are the owner's."""


def net_foreign_fills(
    fills: Mapping[int, Fill],
    *,
    execution_id: str,
    entry_side: Side,
    prefix: str,
    until: datetime,
    netted: Collection[int] = (),
) -> list[NetFill]:
    """Return the net of the owner's fills up to a whole hour, by hours: it books as the fills themselves do.

    Fills that have closed some of ours have no net. `fills` are as for `book_position`, by the exchange's numbers;
    `netted` are those that are a net already. Hours are kept apart because funding is paid on the position at a whole
    hour, and because an hour's net is the same whenever it is calculated.
    """
    nets: list[NetFill] = []
    run: list[tuple[int, Fill]] = []
    position = _Position(entry_side)
    with exact():
        for number, fill in sorted(sorted(fills.items()), key=lambda one: one[1].at):
            leg, ours = _leg_of(fill, prefix=prefix), position.ours
            concerns = _concerns(fill, execution_id, prefix=prefix)
            if concerns:
                position.apply(fill, leg)
            foreign = concerns and leg is None and _closed_by_exchange(fill) is None and number not in netted
            may_net = foreign and bool(position.entries) and position.ours == ours and fill.at <= until
            if run and (not may_net or _funding_hour(fill) != _funding_hour(run[-1][1])):
                nets.extend(_net_of(run, entry_side))
                run = []
            if may_net:
                run.append((number, fill))
        nets.extend(_net_of(run, entry_side))
    return nets


def _net_of(run: Sequence[tuple[int, Fill]], entry_side: Side) -> Iterator[NetFill]:
    """Yield the net of two fills or more."""
    if len(run) < 2:  # noqa: PLR2004 - one is its own net
        return
    held = sum((fill.amount if fill.side is entry_side else -fill.amount for _, fill in run), Decimal(0))
    last = run[-1][1]
    net = replace(
        last,
        order_id="",
        client_order_id="",
        side=entry_side if held >= 0 else entry_side.opposite,
        amount=abs(held),
        fee=Decimal(0),
        fee_price=Decimal(1),
        realized_pnl=Decimal(0),
    )
    yield NetFill(tuple(number for number, _ in run), net)


def _funding_hour(fill: Fill) -> datetime:
    """Return the hour of a fill; one right on a whole hour still counts for its funding, and is in the hour before."""
    return whole_hour(fill.at - timedelta(microseconds=1))


def _own_liquidation_fee(fees: Iterable[Income], *, exits: Sequence[Fill], everything: Sequence[Fill]) -> Decimal:
    """Return our share of what a liquidation cost, by our part of what it closed."""
    paid = -sum((fee.amount for fee in fees), Decimal(0))
    ours, total = (sum((f.amount for f in fills if is_liquidation(f)), Decimal(0)) for fills in (exits, everything))
    return paid * ours / total if total else Decimal(0)


def is_liquidation(fill: Fill) -> bool:
    """Return whether the exchange closed the position for want of margin."""
    return _closed_by_exchange(fill) is CloseReason.LIQUIDATION


def average_price(fills: Sequence[Fill]) -> Decimal:
    """Return the mean price of one or more fills, weighted by amount."""
    with exact():
        value = sum((fill.price * fill.amount for fill in fills), Decimal(0))
        return _STORED.plus(value / sum((fill.amount for fill in fills), Decimal(0)))


def _concerns(fill: Fill, execution_id: str, *, prefix: str) -> bool:
    ref = parse_client_order_id(fill.client_order_id, prefix=prefix)
    return ref is None or ref.execution_id == execution_id


def _leg_of(fill: Fill, *, prefix: str) -> Leg | None:
    ref = parse_client_order_id(fill.client_order_id, prefix=prefix)
    return ref.leg if ref else None


def _part_of(fill: Fill, amount: Decimal) -> Fill:
    return replace(
        fill,
        amount=amount,
        fee=fill.fee * amount / fill.amount,
        realized_pnl=fill.realized_pnl * amount / fill.amount,
    )


def _closed_by_exchange(fill: Fill) -> CloseReason | None:
    matching = (reason for prefix, reason in _EXCHANGE_CLOSES.items() if fill.client_order_id.startswith(prefix))
    return next(matching, None)


def _close_reason(fill: Fill, *, prefix: str, close_leg_reason: CloseReason) -> CloseReason:
    by_exchange = _closed_by_exchange(fill)
    if by_exchange is not None:
        return by_exchange
    leg = _leg_of(fill, prefix=prefix)
    if leg is Leg.CLOSE:
        return close_leg_reason
    return CloseReason.MANUAL if leg is None else _CLOSED_BY[leg]
