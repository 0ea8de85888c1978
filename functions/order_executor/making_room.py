"""Makes room for the sale of a part of a position: the orders that would overlap it shrink, and stand again afterwards.

The take-profits share what remains. The exchange may refuse the sale because of other orders by amount as well; those
make room only then, and only while another stop closes the position.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from functions.order_executor import exit_plans, open_position, stops, targets
from functions.order_executor.session import ExecutionSession
from functions.order_executor.venue_orders import cancel, leg_of
from shared.exchange.venue_views import OrderView
from shared.models.order import OrderStatus
from shared.trading.filters import round_down
from shared.trading.ids import STOP_LEGS, Leg
from shared.trading.order_planning import ExitPlan, split_amount
from shared.trading.reduction import Reduction


async def make_room(session: ExecutionSession, plan: Reduction, *, overlap: bool) -> None:
    """Plan the take-profits anew for what remains.

    After a refusal because of an `overlap` the stops by amount and the trailing stop make room too, if another stop
    closes the position. They stand again at the end.
    """
    standing = await session.account.open_orders(session.symbol)
    exits = exit_plans.plan_for(session, stops.filled_amount(session))
    await _share_out(session, replace(exits, trailing=None), standing, amount=plan.keep)
    by_leg = [(leg_of(session, view), view) for view in standing]
    if not overlap or not any(view.close_position for leg, view in by_leg if leg in STOP_LEGS):
        return
    await cancel(session, [view for leg, view in by_leg if leg in STOP_LEGS and not view.close_position])
    amount = targets.trailing_amount(session, plan.keep)
    await targets.replace_orders(session, exits, [(view, amount) for leg, view in by_leg if leg is Leg.TRAILING])


async def _share_out(
    session: ExecutionSession, exits: ExitPlan, standing: Sequence[OrderView], *, amount: Decimal
) -> None:
    """Have the standing take-profits share a smaller amount, in proportion to what they are for now."""
    views = targets.standing_take_profits(session, standing)
    parts = split_amount(
        round_down(amount, session.filters.step_size),
        targets=[view.price or Decimal(0) for view in views],
        weights=[view.remaining for view in views],
        filters=session.filters,
    )
    planned = [(view, parts.get(view.price or Decimal(0), Decimal(0))) for view in views]
    await targets.replace_orders(session, exits, [(view, part) for view, part in planned if part != view.remaining])
    kept = sum((part for view, part in planned if part == view.remaining), Decimal(0))
    await targets.place_targets(session, exits, room=amount - kept)


async def restore(session: ExecutionSession) -> None:
    """Place the stops and the trailing stop that were cancelled so that a part could be sold."""
    latest = {leg: orders[-1] for leg in (*STOP_LEGS, Leg.TRAILING) if (orders := session.ledger.of_leg(leg))}
    if any(order.status is OrderStatus.CANCELLED for leg, order in latest.items() if leg in STOP_LEGS):
        await open_position.restore_stops(session)
    if Leg.TRAILING in latest and latest[Leg.TRAILING].status is OrderStatus.INTENDED:
        exits = exit_plans.plan_for(session, stops.filled_amount(session))
        await targets.place_targets(session, replace(exits, take_profits=()))
