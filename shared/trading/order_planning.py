"""Plans the orders that enter, protect and close a position, from a signal and an amount. Sends nothing, sizes nothing.

Rounding to the tick never makes the plan worse. A stop is rounded towards the entry, so that it loses no more than was
sized. Take profits, the trailing activation and the prices beyond a limit stop are rounded away from the entry, so that
none of them equals the price that it must lie beyond.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from itertools import pairwise
from typing import assert_never

from shared.trading.arithmetic import exact
from shared.trading.filters import Rounding, SymbolFilters, round_down, round_price, round_up
from shared.trading.ids import TAKE_PROFIT_LEGS, Leg
from shared.trading.sides import Side, StopType
from shared.trading.signal import Signal

STOP_LIMIT_PARTS = 6
"""A limit stop's limit lies a sixth of the stop distance beyond its trigger."""
BACKSTOP_PARTS = 3
"""Its backstop triggers a third of the stop distance beyond the trigger."""
CALLBACK_RATE_STEP = Decimal("0.1")


class OrderType(StrEnum):
    """The exchange's order types that we use."""

    MARKET = "MARKET"
    LIMIT = "LIMIT"
    STOP_MARKET = "STOP_MARKET"
    STOP = "STOP"
    TRAILING_STOP_MARKET = "TRAILING_STOP_MARKET"


class TimeInForce(StrEnum):
    """How long a limit order may fill."""

    GTC = "GTC"
    """Until it is cancelled."""
    IOC = "IOC"
    """At once; what does not fill then, expires."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedOrder:
    """One order to be sent; without an amount it is for the whole position."""

    leg: Leg
    type: OrderType
    side: Side
    amount: Decimal | None = None
    price: Decimal | None = None
    trigger_price: Decimal | None = None
    activation_price: Decimal | None = None
    callback_rate: Decimal | None = None
    reduce_only: bool = False
    close_position: bool = False
    time_in_force: TimeInForce = TimeInForce.GTC
    """Of an order with a price."""


@dataclass(frozen=True, slots=True)
class StopPrices:
    """A stop's prices on the tick grid; only a limit stop has `limit` and `backstop`."""

    trigger: Decimal
    limit: Decimal | None = None
    backstop: Decimal | None = None

    @property
    def last(self) -> Decimal:
        """The trigger of the stop that closes at any price."""
        return self.trigger if self.backstop is None else self.backstop


@dataclass(frozen=True, slots=True, kw_only=True)
class ExitPlan:
    """The exit orders of a position of `amount`, and the requested legs that cannot be placed."""

    amount: Decimal
    stops: tuple[PlannedOrder, ...]
    take_profits: tuple[PlannedOrder, ...]
    trailing: PlannedOrder | None
    omitted: tuple[Leg, ...]

    @property
    def orders(self) -> tuple[PlannedOrder, ...]:
        """All orders in sending order: the stop first."""
        trailing = () if self.trailing is None else (self.trailing,)
        return (*self.stops, *self.take_profits, *trailing)


def plan_entry(*, side: Side, amount: Decimal, bound: Decimal, leg: Leg = Leg.ENTRY) -> PlannedOrder:
    """Return an order that opens a position: it fills at once, at `bound` or better, and its rest expires."""
    return PlannedOrder(
        leg=leg, type=OrderType.LIMIT, side=side, amount=amount, price=bound, time_in_force=TimeInForce.IOC
    )


def plan_close(*, leg: Leg, entry_side: Side, amount: Decimal) -> PlannedOrder:
    """Return the reduce-only market order that closes `amount` of a position."""
    return PlannedOrder(leg=leg, type=OrderType.MARKET, side=entry_side.opposite, amount=amount, reduce_only=True)


def plan_exits(
    *,
    signal: Signal,
    filters: SymbolFilters,
    amount: Decimal,
    entry_side: Side,
    stop_moved_to: Decimal | None = None,
) -> ExitPlan:
    """Return the stop, the take profits and the trailing stop of a position of `amount`."""
    if entry_side is not signal.side:
        raise ValueError("the signal is for the other side")
    if amount <= 0:
        raise ValueError("an exit plan needs a position")
    # An amount that is no multiple of the step leaves dust, which only the stop's closePosition can close.
    limit_amount = round_down(amount, filters.step_size)
    take_profits = _plan_take_profits(signal, amount=limit_amount, filters=filters)
    trailing = _plan_trailing(signal, amount=amount, filters=filters)
    omitted = []
    if signal.take_profits and not take_profits:
        omitted.append(Leg.TAKE_PROFIT_1)
    if signal.trailing is not None and trailing is None:
        omitted.append(Leg.TRAILING)
    return ExitPlan(
        amount=amount,
        stops=_plan_stops(signal, amount=limit_amount, filters=filters, moved_to=stop_moved_to),
        take_profits=take_profits,
        trailing=trailing,
        omitted=tuple(omitted),
    )


def stop_prices(signal: Signal, *, filters: SymbolFilters, moved_to: Decimal | None = None) -> StopPrices:
    """Return the prices at which the signal's stop is placed, or is once it has been `moved_to` another price.

    What lies beyond the trigger of a limit stop is a share of the stop distance (order price to stop), so that a narrow
    stop keeps a narrow backstop. It moves as far as the trigger does.
    """
    wanted = signal.stop if moved_to is None else moved_to
    trigger = favourable_price(wanted, entry_side=signal.side, filters=filters)
    match signal.stop_type:
        case StopType.MARKET:
            return StopPrices(trigger)
        case StopType.LIMIT:
            return StopPrices(
                trigger,
                limit=_price_beyond(trigger, STOP_LIMIT_PARTS, signal=signal, filters=filters),
                backstop=_price_beyond(trigger, BACKSTOP_PARTS, signal=signal, filters=filters),
            )
        case _:
            assert_never(signal.stop_type)


def split_amount(
    amount: Decimal, *, targets: Sequence[Decimal], weights: Sequence[Decimal] | None = None, filters: SymbolFilters
) -> dict[Decimal, Decimal]:
    """Return the amount to close at each price, nearest first, together exactly `amount`.

    The parts are equal, or in proportion to the targets' weights, and the last one takes the remainder. If the minimum
    amount does not allow a part for each target, there are as many parts as it allows, and a target without one is
    merged into its nearer neighbour, so that profit is taken earlier. A part is raised to the minimum amount at the
    expense of farther ones. Targets of the same price become one order.
    """
    least = round_up(max(filters.min_amount, filters.step_size), filters.step_size)
    count = min(len(targets), len(TAKE_PROFIT_LEGS), int(amount // least) if least else len(targets))
    amounts: dict[Decimal, Decimal] = {}
    if not count:
        return amounts
    starts = [index * len(targets) // count for index in range(count + 1)]
    merged = [Decimal(1)] * count
    with exact():
        if weights is not None:
            merged = [sum(weights[start:end], Decimal(0)) for start, end in pairwise(starts)]
        parts = _parts_of(amount, merged, least=least, step=filters.step_size)
        for start, part in zip(starts, parts, strict=False):
            amounts[targets[start]] = amounts.get(targets[start], Decimal(0)) + part
    return amounts


def _parts_of(amount: Decimal, weights: Sequence[Decimal], *, least: Decimal, step: Decimal) -> list[Decimal]:
    """Return parts of `amount` in proportion to the weights, each at least `least`, which all of them can be."""
    total, left = sum(weights, Decimal(0)), amount
    parts = []
    for index, weight in enumerate(weights[:-1], start=1):
        part = max(round_down(amount * weight / total, step), least)
        parts.append(min(part, left - least * (len(weights) - index)))
        left -= parts[-1]
    return [*parts, left]


def _plan_stops(
    signal: Signal, *, amount: Decimal, filters: SymbolFilters, moved_to: Decimal | None
) -> tuple[PlannedOrder, ...]:
    prices, side = stop_prices(signal, filters=filters, moved_to=moved_to), signal.side.opposite
    if prices.limit is None or amount <= 0 or amount < filters.min_amount:
        # A limit stop below the minimum amount becomes a market stop: closePosition needs no amount.
        return (closing_stop(Leg.STOP, side=side, trigger_price=prices.trigger),)
    return (
        limit_stop(side=side, amount=amount, price=prices.limit, trigger_price=prices.trigger),
        closing_stop(Leg.STOP_BACKSTOP, side=side, trigger_price=prices.last),
    )


def closing_stop(leg: Leg, *, side: Side, trigger_price: Decimal) -> PlannedOrder:
    """Return the stop that closes the whole position at the market."""
    return PlannedOrder(
        leg=leg, type=OrderType.STOP_MARKET, side=side, trigger_price=trigger_price, close_position=True
    )


def limit_stop(*, side: Side, amount: Decimal, price: Decimal, trigger_price: Decimal) -> PlannedOrder:
    """Return the stop that becomes a limit order; a backstop must stand beside it."""
    return PlannedOrder(
        leg=Leg.STOP,
        type=OrderType.STOP,
        side=side,
        amount=amount,
        price=price,
        trigger_price=trigger_price,
        reduce_only=True,
    )


def _plan_take_profits(signal: Signal, *, amount: Decimal, filters: SymbolFilters) -> tuple[PlannedOrder, ...]:
    nearest_first = sorted(
        range(len(signal.take_profits)), key=lambda index: signal.side.sign * signal.take_profits[index]
    )
    shares = split_amount(
        amount,
        targets=[
            favourable_price(signal.take_profits[index], entry_side=signal.side, filters=filters)
            for index in nearest_first
        ],
        weights=None if signal.weights is None else [signal.weights[index] for index in nearest_first],
        filters=filters,
    )
    return tuple(
        PlannedOrder(
            leg=leg, type=OrderType.LIMIT, side=signal.side.opposite, amount=share, price=price, reduce_only=True
        )
        for leg, (price, share) in zip(TAKE_PROFIT_LEGS, shares.items(), strict=False)
    )


def _plan_trailing(signal: Signal, *, amount: Decimal, filters: SymbolFilters) -> PlannedOrder | None:
    amount = round_down(amount, filters.entry_step)
    if signal.trailing is None or amount <= 0 or amount < filters.market_min_amount:
        return None
    with exact():
        activation = signal.order_price + signal.side.sign * signal.trailing.trigger
    if activation <= 0:
        return None
    # The exchange accepts one decimal; rounding down keeps more of the profit.
    callback_rate = max(round_down(signal.trailing.callback_rate, CALLBACK_RATE_STEP), CALLBACK_RATE_STEP)
    return PlannedOrder(
        leg=Leg.TRAILING,
        type=OrderType.TRAILING_STOP_MARKET,
        side=signal.side.opposite,
        amount=amount,
        activation_price=favourable_price(activation, entry_side=signal.side, filters=filters),
        callback_rate=callback_rate,
        reduce_only=True,
    )


def favourable_price(price: Decimal, *, entry_side: Side, filters: SymbolFilters) -> Decimal:
    """Return the nearest allowed price that is better for the position: a stop moves to the entry, a target away."""
    favour = Rounding.UP if entry_side is Side.BUY else Rounding.DOWN
    return filters.within_band(round_price(price, filters.tick_size, favour))


def _price_beyond(trigger: Decimal, parts: int, *, signal: Signal, filters: SymbolFilters) -> Decimal:
    """Return a price further into the loss, by one of so many parts of the stop distance, and at least by one tick."""
    further = Rounding.DOWN if signal.side is Side.BUY else Rounding.UP
    with exact():
        offset = max(abs(signal.order_price - signal.stop) / parts, filters.tick_size)
        price = trigger - signal.side.sign * offset
    return filters.within_band(round_price(price, filters.tick_size, further))
