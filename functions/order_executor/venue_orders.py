"""Standing orders at the exchange: identifies their execution and leg, and cancels them."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Sequence

from functions.order_executor.session import ExecutionSession
from shared.config import settings
from shared.errors import OrderDenied
from shared.exchange.venue_views import OrderView
from shared.models.execution import Execution
from shared.models.order import OrderStatus
from shared.observability import logger
from shared.trading.execution import DenialReason
from shared.trading.ids import Leg, OrderRef, parse_client_order_id


def leg_of(session: ExecutionSession, view: OrderView) -> Leg | None:
    """Return the leg of a standing order of this execution; None for any other order.

    A triggered conditional order becomes another order, whose id only the conditional one names.
    """
    ref = _ref_of(view)
    if ref is not None:
        return ref.leg if ref.execution_id == session.execution.id else None
    if view.conditional:
        return None
    return next((o.leg for o in session.ledger.orders.values() if o.actual_order_id == view.exchange_order_id), None)


def is_ours(session: ExecutionSession, view: OrderView) -> bool:
    """Return whether a standing order is this execution's."""
    return leg_of(session, view) is not None


async def adopt_unrecorded(session: ExecutionSession, standing: Iterable[OrderView], legs: Collection[Leg]) -> None:
    """Take standing orders of this execution into its records that a crashed worker placed and did not record."""
    adopted = []
    for view in standing:
        ref = _ref_of(view)
        ours = ref is not None and ref.execution_id == session.execution.id and ref.leg in legs and view.conditional
        if ref is not None and ours and view.client_order_id not in session.ledger.orders:
            logger.warning("order_adopted", execution_id=session.execution.id, leg=ref.leg.value)
            adopted.append(session.ledger.adopt(view, leg=ref.leg, attempt=ref.attempt))
    await session.ledger.save_orders(*adopted)


async def cancel_ours(session: ExecutionSession) -> None:
    """Cancel all standing orders of this execution."""
    await cancel(
        session, [view for view in await session.account.open_orders(session.symbol) if is_ours(session, view)]
    )


async def cancel_leftovers(session: ExecutionSession, standing: Sequence[OrderView]) -> tuple[OrderView, ...]:
    """Cancel orders of closed executions of ours; return the orders that are not ours, which are left alone.

    Raise OrderDenied, and cancel nothing, if one is of an active execution: through another key of the account.
    """
    refs = {view.client_order_id: ref for view in standing if (ref := _ref_of(view)) is not None}
    ids = [ref.execution_id for ref in refs.values()]
    known = await asyncio.to_thread(Execution.find_many, ids, consistent=True)
    if any(execution.may_be_at_exchange for execution in known.values()):
        raise OrderDenied(DenialReason.ACCOUNT_IN_USE)
    await cancel(session, [view for view in standing if view.client_order_id in refs])
    return tuple(view for view in standing if view.client_order_id not in refs)


async def cancel(session: ExecutionSession, views: Iterable[OrderView]) -> set[str]:
    """Cancel orders side by side, and record it. Return the client ids of those that were cancelled by this.

    The others have filled, triggered or ended by themselves meanwhile, as the fills will show.
    """
    views = list(views)
    stood = await asyncio.gather(*(session.cancel(view) for view in views))
    known = [
        session.ledger.orders[view.client_order_id] for view in views if view.client_order_id in session.ledger.orders
    ]
    for order in known:
        if order.status is not OrderStatus.FILLED:
            order.status = OrderStatus.CANCELLED
    await session.ledger.save_orders(*known)
    return {view.client_order_id for view, still in zip(views, stood, strict=True) if still}


def _ref_of(view: OrderView) -> OrderRef | None:
    return parse_client_order_id(view.client_order_id, prefix=settings().broker_prefix)
