"""Booking without one of its rules."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any
from unittest import mock

from functions.order_executor.collecting import History
from functions.order_executor.fills import FillBook
from functions.order_executor.ledger import Ledger
from shared.exchange.futures import FuturesAccount
from shared.trading import position_accounting


def without_exchange_closes() -> AbstractContextManager[Any]:
    """Take what the exchange has closed by itself for the owner's doing."""
    return mock.patch.dict(position_accounting._EXCHANGE_CLOSES, clear=True)


def without_stored_history() -> AbstractContextManager[Any]:
    """Read a position's fills and funding from its beginning each time, whatever is stored of them."""

    async def from_the_start(ledger: Ledger, account: FuturesAccount) -> History:
        return History(ledger, account, FillBook(account, ledger.symbol, ledger.begun_at), {}, set(), None)

    return mock.patch.object(History, "open", from_the_start)
