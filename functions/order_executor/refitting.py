"""Finds what to send instead of an exit that was refused because the symbol's filters have changed. Sends nothing.

What was certainly refused is never sent again unchanged.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from functions.order_executor.session import ExecutionSession
from shared.errors import ExchangeRejected
from shared.exchange import error_codes
from shared.exchange.markets import EXIT_READ_TIMEOUT_S
from shared.models.order import Order, OrderStatus
from shared.observability import logger
from shared.trading.filters import SymbolFilters
from shared.trading.fitting import fit_exit, fit_targets_together
from shared.trading.order_planning import PlannedOrder

_PAUSE_S = 0.15


async def instead_of(
    session: ExecutionSession,
    refused: PlannedOrder,
    error: ExchangeRejected,
    *,
    sent_with: SymbolFilters,
    sent_at_s: float,
    until_s: float,
) -> PlannedOrder | None:
    """Return the exit that the exchange's present filters allow; None if it is the same, or not known in time.

    `sent_with` are the filters when the request was sent, at the monotonic time `sent_at_s`. A failed read is repeated
    until `until_s`.
    """
    if error.code not in error_codes.FILTERS_CONTRADICTED:
        return None
    while (left_s := until_s - time.monotonic()) > 0:
        if await session.renew_filters(sent_with, sent_at_s=sent_at_s, timeout_s=min(left_s, EXIT_READ_TIMEOUT_S)):
            fitted = fit_exit(refused, filters=session.filters)
            return None if fitted == refused else fitted
        await asyncio.sleep(_PAUSE_S)
    return None


def refit_targets(
    session: ExecutionSession, refused: Sequence[tuple[PlannedOrder, Order]]
) -> list[tuple[PlannedOrder, Order]]:
    """Return refused take-profits as the filters allow them; those that this does not change are rejected."""
    fitted = {one.leg: one for one in fit_targets_together([one for one, _ in refused], filters=session.filters)}
    changed = []
    for planned, order in refused:
        now = fitted.get(planned.leg)
        if now is None or now == planned:
            reject_target(session, order, order.error)
        else:
            order.price, order.amount, order.sent_at, order.error = now.price, now.amount, None, None
            changed.append((now, order))
    return changed


def reject_target(session: ExecutionSession, order: Order, code: int | str | None) -> None:
    """Record that a target is given up, which costs nothing else."""
    order.status, order.error = OrderStatus.REJECTED, str(code)
    logger.warning("target_rejected", execution_id=session.execution.id, leg=order.leg.value, code=code)
