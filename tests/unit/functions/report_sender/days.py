"""Trading days for the tests of reports."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from shared.models.base import transact
from shared.models.performance_day import PerformanceDay, TradeLedger
from tests.unit.records import KEY_ID, USER_ID


def a_trade(
    day: str,
    profit: str,
    *,
    ledger: TradeLedger = TradeLedger.STRATEGY,
    user_id: str = USER_ID,
    api_key_id: str = KEY_ID,
    balance: str | None = None,
    fee: str = "1",
) -> None:
    """Record a closed trade on a day, as the executor and the importer do."""
    transact(
        lambda transaction: PerformanceDay.add(
            transaction,
            ledger=ledger,
            user_id=user_id,
            api_key_id=api_key_id,
            closed_at=datetime.fromisoformat(f"{day}T12:00:00").replace(tzinfo=UTC),
            profit=Decimal(profit),
            fee=Decimal(fee),
            balance=None if balance is None else Decimal(balance),
        )
    )
