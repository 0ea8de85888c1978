"""Fits a planned exit to other filters than it was planned with: a symbol's change while positions are open.

Every price moves in the position's favour, as it does when an exit is planned: a stop towards the entry, so that it
loses no more than was sized, and a target away from it. Amounts never grow. Reads nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from shared.trading.arithmetic import exact
from shared.trading.filters import SymbolFilters, round_down
from shared.trading.order_planning import OrderType, PlannedOrder, favourable_price
from shared.trading.sides import Side

_RESTS_ON_THE_BOOK = frozenset({OrderType.LIMIT, OrderType.STOP})


def fit_exit(planned: PlannedOrder, *, filters: SymbolFilters) -> PlannedOrder | None:
    """Return the nearest exit that the filters allow, or None if its amount is too small for any.

    An exit that they allow already is returned as it is.
    """
    if planned.amount is None:
        return _fit_prices(planned, filters=filters)
    amount = allowed_amount(planned.amount, planned.type, filters=filters)
    return replace(_fit_prices(planned, filters=filters), amount=amount) if amount else None


def fit_targets_together(planned: Sequence[PlannedOrder], *, filters: SymbolFilters) -> list[PlannedOrder]:
    """Return the take-profits that the filters allow, nearest first; the last one takes what the others lose."""
    fitted = [one for one in (fit_exit(target, filters=filters) for target in planned) if one is not None]
    if not fitted:
        return []
    with exact():
        wanted = sum((target.amount or Decimal(0) for target in planned), Decimal(0))
        lost = wanted - sum((target.amount or Decimal(0) for target in fitted), Decimal(0))
        last = (fitted[-1].amount or Decimal(0)) + lost
    amount = allowed_amount(last, fitted[-1].type, filters=filters)
    return [*fitted[:-1], replace(fitted[-1], amount=amount)]


def _fit_prices(planned: PlannedOrder, *, filters: SymbolFilters) -> PlannedOrder:
    trigger = _fit_price(planned.trigger_price, planned.side, filters=filters)
    price = _fit_price(planned.price, planned.side, filters=filters)
    if trigger is not None and price == trigger:
        # A limit stop's price stays further into the loss than its trigger.
        price = filters.within_band(trigger + planned.side.sign * filters.tick_size)
    return replace(
        planned,
        trigger_price=trigger,
        price=price,
        activation_price=_fit_price(planned.activation_price, planned.side, filters=filters),
    )


def _fit_price(price: Decimal | None, exit_side: Side, *, filters: SymbolFilters) -> Decimal | None:
    return None if price is None else favourable_price(price, entry_side=exit_side.opposite, filters=filters)


def allowed_amount(amount: Decimal, order_type: OrderType, *, filters: SymbolFilters) -> Decimal:
    """Return the largest allowed amount that is not above `amount`, or 0."""
    if order_type in _RESTS_ON_THE_BOOK:
        step, least, most = filters.step_size, filters.min_amount, filters.max_amount
    else:
        step, least, most = filters.market_step_size, filters.market_min_amount, filters.market_max_amount
    fitted = round_down(min(amount, most or amount), step)
    return fitted if fitted >= least else Decimal(0)
