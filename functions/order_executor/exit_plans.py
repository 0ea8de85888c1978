"""The exits that a position should have: targets by the signal and the filters, stops by their order records."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from functions.order_executor.session import ExecutionSession
from shared.exchange.futures import is_conditional
from shared.models.order import Order, OrderStatus
from shared.trading.filters import round_down
from shared.trading.fitting import allowed_amount
from shared.trading.ids import Leg
from shared.trading.order_planning import ExitPlan, OrderType, PlannedOrder, closing_stop, limit_stop, plan_exits


def plan_for(session: ExecutionSession, amount: Decimal) -> ExitPlan:
    """Return the exit plan of an amount, which may be less than what was ordered.

    Its stops are those on record. Without filters it has no targets: they wait until they can be fitted.
    """
    exits = plan_anew(session, amount)
    if not session.filters_known:
        exits = replace(exits, take_profits=(), trailing=None, omitted=())
    return replace(exits, stops=_recorded_stops(session, exits))


def plan_anew(session: ExecutionSession, amount: Decimal) -> ExitPlan:
    """Return the exit plan of an amount by the signal and the session's filters, whatever is on record."""
    execution = session.execution
    return plan_exits(
        signal=execution.signal(),
        filters=session.filters,
        amount=amount,
        entry_side=execution.side,
        stop_moved_to=execution.stop_moved_to,
    )


def _recorded_stops(session: ExecutionSession, exits: ExitPlan) -> tuple[PlannedOrder, ...]:
    """Return the stops at the prices that their order records hold; without records, those of the plan.

    The position was sized with the recorded prices, and another container's filters may give others. Once a stop has
    been placed, its record also says whether it is a limit stop.
    """
    stop, backstop = (next(reversed(_of_present_level(session, leg)), None) for leg in (Leg.STOP, Leg.STOP_BACKSTOP))
    if stop is None or stop.trigger_price is None:
        return exits.stops
    side = session.execution.side.opposite
    limit = stop.type is OrderType.STOP and stop.price is not None
    placed = stop.status is not OrderStatus.INTENDED
    if limit and backstop is None and session.execution.stop_moved_to is not None:
        return exits.stops  # the worker that moved the stop crashed between the two records
    if not limit or backstop is None or backstop.trigger_price is None or not (placed or len(exits.stops) > 1):
        return (closing_stop(Leg.STOP, side=side, trigger_price=stop.trigger_price),)
    amount = round_down(exits.amount, session.filters.step_size)
    return (
        limit_stop(side=side, amount=amount, price=stop.price, trigger_price=stop.trigger_price),
        closing_stop(Leg.STOP_BACKSTOP, side=side, trigger_price=backstop.trigger_price),
    )


def _of_present_level(session: ExecutionSession, leg: Leg) -> list[Order]:
    """Return the records of a stop leg that were made for where the stop is to stand now, the latest last."""
    moved_to = session.execution.stop_moved_to
    return [order for order in session.ledger.of_leg(leg) if order.stop_moved_to == moved_to]


def replan_stops(session: ExecutionSession, amount: Decimal) -> list[Order]:
    """Return the records of stops that were not sent yet, planned anew for another amount; the caller saves them."""
    records = []
    for stop in plan_anew(session, amount).stops:
        record = next(reversed(session.ledger.of_leg(stop.leg)), None) or session.ledger.intend(stop, attempt=1)
        copy_plan(record, stop)
        records.append(record)
    return records


def stop_by_amount(session: ExecutionSession, planned: PlannedOrder, amount: Decimal) -> PlannedOrder:
    """Return a `closePosition` stop as a reduce-only one for an amount; for 0 if it is less than any order's."""
    allowed = allowed_amount(amount, planned.type, filters=session.filters)
    return replace(planned, close_position=False, reduce_only=True, amount=allowed)


def copy_plan(order: Order, planned: PlannedOrder) -> None:
    """Copy the plan to the record: after a partial fill, or for a renewed stop, it differs from the first one."""
    order.type, order.amount, order.price = planned.type, planned.amount, planned.price
    order.trigger_price, order.close_position = planned.trigger_price, planned.close_position
    order.reduce_only, order.conditional = planned.reduce_only, is_conditional(planned.type)
    order.status, order.error = OrderStatus.INTENDED, None
