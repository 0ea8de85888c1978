"""Finds what to send instead of an exit that was refused because the symbol's filters have changed. Sends nothing.

What was certainly refused is never sent again unchanged.
"""

from __future__ import annotations

import asyncio
import time

from functions.order_executor.session import ExecutionSession
from shared.errors import ExchangeRejected
from shared.exchange import error_codes
from shared.exchange.markets import EXIT_READ_TIMEOUT_S
from shared.trading.filters import SymbolFilters
from shared.trading.fitting import fit_exit
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
