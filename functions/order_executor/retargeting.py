"""Plans the take-profits of an open position anew when an update asks for others, and cancels the earlier ones.

The new orders are on record, together with the list that they are for, before an old one is cancelled: another worker
goes on where this one ends. What has filled stays filled; the new ones are for what is left.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from functions.order_executor import position, targets
from functions.order_executor.session import ExecutionSession
from functions.order_executor.venue_orders import cancel
from shared.clock import utc_now
from shared.errors import ExchangeError
from shared.exchange.venue_views import OrderView
from shared.models.order import Order, OrderStatus
from shared.observability import count_outcome, logger
from shared.trading.ids import TAKE_PROFIT_LEGS
from shared.trading.order_planning import plan_exits
from shared.trading.signal import Signal, is_winning, without_targets
from shared.trading.target_weights import weigh_targets


async def retarget_if_asked(
    session: ExecutionSession, standing: tuple[OrderView, ...], *, left: Decimal
) -> tuple[tuple[OrderView, ...], Decimal]:
    """Plan the take-profits that an update asks for, and cancel those of earlier lists.

    Return the orders that stand then, without those that are planned, and what is left of the position.
    """
    if session.execution.awaits_targets:
        try:
            await _plan(session, left)
        except ExchangeError as error:
            logger.warning("targets_not_planned", execution_id=session.execution.id, detail=str(error))
            session.stop_move_pending = True
            return standing, left
    known = session.ledger.orders
    earlier = [
        view
        for view in targets.standing_take_profits(session, standing)
        if (order := known.get(view.client_order_id)) is not None and is_of_earlier_list(session, order)
    ]
    if not earlier:
        return standing, left
    cancelled = await cancel(session, earlier)
    # Whether the others have filled is for a look-up to say.
    ended = [known[view.client_order_id] for view in earlier if view.client_order_id not in cancelled]
    for order in ended:
        order.status = OrderStatus.OPEN
    await session.ledger.save_orders(*ended)
    return tuple(view for view in standing if view not in earlier), await position.left_of_ours(session)


def is_of_earlier_list(session: ExecutionSession, order: Order) -> bool:
    """Return whether a take-profit is of a list that an update has replaced."""
    since = session.execution.targets_since
    return since is not None and order.created_at < since


def filled_before(session: ExecutionSession) -> int:
    """Return how many take-profits of earlier lists have filled: they stay counted."""
    orders = session.ledger.of_leg(*TAKE_PROFIT_LEGS)
    return sum(order.status is OrderStatus.FILLED and is_of_earlier_list(session, order) for order in orders)


async def _plan(session: ExecutionSession, left: Decimal) -> None:
    """Record the requested take-profits and their orders, without those that the market has passed."""
    execution = session.execution
    asked: list[Decimal] = list(execution.targets_requested or ())
    if not session.filters_known:
        return
    price = await session.account.recent_price(session.symbol)
    passed = [target for target in asked if not is_winning(execution.side, price=target, reference=price)]
    signal = without_targets(_with_targets(session, asked), passed)
    planned = plan_exits(signal=signal, filters=session.filters, amount=left, entry_side=execution.side).take_profits
    if not planned:
        detail = "take-profits not changed: the market has passed them, or too little is left"
        await session.ledger.advance(targets_planned=asked, detail=detail)
        return
    since = utc_now()
    orders = [session.ledger.intend(target) for target in planned]
    left_out = f", without {', '.join(f'{target:f}' for target in passed)}: passed" if passed else ""
    await session.ledger.advance(
        orders=orders,
        take_profits=asked,
        passed_targets=passed or None,
        targets_planned=asked,
        targets_since=since,
        detail=f"take-profits changed{left_out}",
    )
    count_outcome("targets_changed")
    logger.info("targets_changed", execution_id=execution.id, trigger_id=execution.trigger_id, number=len(planned))


def _with_targets(session: ExecutionSession, asked: Sequence[Decimal]) -> Signal:
    execution = session.execution
    weights = weigh_targets(asked, side=execution.side, weights=execution.take_profit_weights)
    return replace(execution.signal(), take_profits=tuple(asked), weights=weights)
