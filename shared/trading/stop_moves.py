"""Where the stop of a position is to stand, once it may leave its first price. Sends nothing.

A stop only ever moves towards the market, so a move never makes the position's risk larger.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from shared.trading.arithmetic import exact
from shared.trading.filters import SymbolFilters
from shared.trading.order_planning import favourable_price
from shared.trading.risk import loss_at_stop
from shared.trading.sides import Side
from shared.trading.signal import is_winning

MOST_TARGETS = 4
"""The take-profits that an alert may have, and so the last one that may move the stop to break-even."""


def nearest_stop(side: Side, first: Decimal, *requested: Decimal | None) -> Decimal:
    """Return the stop nearest to the market, of a position's first one and of those that were requested since."""
    prices = (first, *(price for price in requested if price is not None))
    return max(prices, key=lambda price: price * side.sign)


def is_nearer(price: Decimal, *, than: Decimal, side: Side) -> bool:
    """Return whether one stop is nearer to the market than another; `side` is the position's."""
    return is_winning(side, price=price, reference=than)


def breakeven_price(*, side: Side, entry_price: Decimal, taker_rate: Decimal, filters: SymbolFilters) -> Decimal:
    """Return the first price on the tick at which a stop loses nothing, with the taker's fees of both ways."""
    with exact():
        paid = side.sign * taker_rate
        price = favourable_price(entry_price * (1 + paid) / (1 - paid), entry_side=side, filters=filters)
        loss = loss_at_stop(
            side=side, amount=Decimal(1), entry_price=entry_price, stop_price=price, taker_rate=taker_rate
        )
        # The quotient above is cut, so it may lie below a tick that it should have passed.
        return price + side.sign * filters.tick_size if loss > 0 else price


def awaited_target(
    number: int, *, side: Side, targets: Sequence[Decimal], placed: Sequence[Decimal], filters: SymbolFilters
) -> int | None:
    """Return the index in `placed` of the order that takes the profit of target `number`; None if there is none.

    `number` counts the requested `targets` from the nearest, from 1. `placed` are the prices of the take-profit orders,
    nearest first. A target without an order of its own is part of the nearest order before it, or of the first one if
    the market had passed the target before the entry.
    """
    if number > len(targets) or not placed:
        return None
    target = sorted(targets, key=lambda price: price * side.sign)[number - 1]
    target = favourable_price(target, entry_side=side, filters=filters)
    before = [index for index, price in enumerate(placed) if not is_winning(side, price=price, reference=target)]
    return before[-1] if before else 0
