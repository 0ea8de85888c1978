"""The orders that stand at the exchange: whose they are, and how they are cancelled. Decides nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence

from functions.order_executor.session import ExecutionSession
from shared.config import settings
from shared.exchange.venue_views import OrderView
from shared.models.order import OrderStatus
from shared.trading.ids import Leg, OrderRef, parse_client_order_id


def leg_of(session: ExecutionSession, view: OrderView) -> Leg | None:
    """Return the part that a standing order of this execution plays; None for anybody else's.

    A triggered conditional order stands as another order, under an id that only its conditional one names.
    """
    ref = _ref_of(view)
    if ref is not None:
        return ref.leg if ref.execution_id == session.execution.id else None
    if view.conditional:
        return None
    return next((o.leg for o in session.orders.values() if o.actual_order_id == view.exchange_order_id), None)


def is_ours(session: ExecutionSession, view: OrderView) -> bool:
    """Tell whether a standing order is this execution's."""
    return leg_of(session, view) is not None


async def cancel_ours(session: ExecutionSession) -> None:
    """Cancel all that stands of this execution's orders."""
    await cancel(
        session, [view for view in await session.account.open_orders(session.symbol) if is_ours(session, view)]
    )


async def cancel_leftovers(session: ExecutionSession, standing: Sequence[OrderView]) -> tuple[OrderView, ...]:
    """Cancel what stands of any ended execution of ours; return the orders that are not ours, which are left alone."""
    await cancel(session, [view for view in standing if _ref_of(view) is not None])
    return tuple(view for view in standing if _ref_of(view) is None)


async def cancel(session: ExecutionSession, views: Iterable[OrderView]) -> set[str]:
    """Cancel orders, side by side, and write it down. Return the client ids of those that still stood: what filled,
    triggered or ended by itself meanwhile is for the fills to tell.
    """
    views = list(views)
    stood = await asyncio.gather(*(session.cancel(view) for view in views))
    known = [session.orders[view.client_order_id] for view in views if view.client_order_id in session.orders]
    for order in known:
        if order.status is not OrderStatus.FILLED:
            order.status = OrderStatus.CANCELLED
    await session.note(*known)
    return {view.client_order_id for view, still in zip(views, stood, strict=True) if still}


def _ref_of(view: OrderView) -> OrderRef | None:
    return parse_client_order_id(view.client_order_id, prefix=settings().broker_prefix)
