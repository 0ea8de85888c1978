"""Table `position_history`: the exchange's fills and incomes of an execution, kept as they were seen.

The exchange forgets them after three months, so for a long position this is the only record. Entries never change and
are named by the exchange's ids: storing one again, by this worker or another, changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import assert_never

from pynamodb.attributes import UnicodeAttribute

from shared.models.attributes import DecimalAttribute, EnumAttribute, TimeAttribute
from shared.models.base import Table, TableName
from shared.trading.funding import FundingPayment, Income
from shared.trading.position_accounting import Fill
from shared.trading.sides import Side


class HistoryKind(StrEnum):
    """What an entry of a position's history is."""

    FILL = "FILL"
    FUNDING = "FUNDING"
    LIQUIDATION_FEE = "LIQUIDATION_FEE"


@dataclass(frozen=True, slots=True)
class StoredHistory:
    """What is stored of one execution, by the exchange's ids."""

    fills: dict[int, Fill] = field(default_factory=dict)
    funding: dict[str, FundingPayment] = field(default_factory=dict)


class PositionHistory(Table):
    """One fill on the symbol while the execution was open, of any order of the account, or one income."""

    class Meta:
        table_name = TableName("position_history")

    execution_id = UnicodeAttribute(hash_key=True)
    entry_key = UnicodeAttribute(range_key=True)
    """`<kind>#<exchange id>`."""
    kind = EnumAttribute(HistoryKind)
    exchange_id = UnicodeAttribute()
    """The exchange's id of the fill, or of the income's transaction."""
    at = TimeAttribute()
    """By the exchange's clock."""

    # An income.
    income = DecimalAttribute(null=True)

    # A fill.
    exchange_order_id = UnicodeAttribute(null=True)
    client_order_id = UnicodeAttribute(null=True)
    """Absent while the exchange does not know the order, and before the entry."""
    side = EnumAttribute(Side, null=True)
    price = DecimalAttribute(null=True)
    amount = DecimalAttribute(null=True)
    fee = DecimalAttribute(null=True)
    fee_asset = UnicodeAttribute(null=True)
    fee_price = DecimalAttribute(null=True)
    """Of the fee's asset in the margin asset, when the fill was stored; absent for the margin asset itself."""
    realized_pnl = DecimalAttribute(null=True)

    @classmethod
    def read(cls, execution_id: str) -> StoredHistory:
        """Return what is stored of an execution."""
        stored = StoredHistory()
        for entry in cls.query(execution_id, consistent_read=True):
            match entry.kind:
                case HistoryKind.FILL:
                    stored.fills[int(entry.exchange_id)] = entry._fill()
                case HistoryKind.FUNDING:
                    stored.funding[entry.exchange_id] = FundingPayment(entry.income or Decimal(0), entry.at)
                case HistoryKind.LIQUIDATION_FEE:
                    pass  # read from the exchange by the booking, which stores it
                case _:
                    assert_never(entry.kind)
        return stored

    @classmethod
    def store(cls, entries: Iterable[PositionHistory]) -> None:
        """Store entries, in requests of 25."""
        with cls.batch_write() as batch:
            for entry in entries:
                batch.save(entry)

    @classmethod
    def of_fill(cls, execution_id: str, number: int, fill: Fill) -> PositionHistory:
        """Return the entry of a fill with the exchange's number."""
        return cls(
            execution_id,
            f"{HistoryKind.FILL.value}#{number}",
            kind=HistoryKind.FILL,
            exchange_id=str(number),
            at=fill.at,
            exchange_order_id=fill.order_id,
            client_order_id=fill.client_order_id or None,
            side=fill.side,
            price=fill.price,
            amount=fill.amount,
            fee=fill.fee,
            fee_asset=fill.fee_asset,
            fee_price=fill.fee_price,
            realized_pnl=fill.realized_pnl,
        )

    @classmethod
    def of_income(cls, execution_id: str, kind: HistoryKind, transaction_id: str, income: Income) -> PositionHistory:
        """Return the entry of an income with the exchange's id of its transaction."""
        return cls(
            execution_id,
            f"{kind.value}#{transaction_id}",
            kind=kind,
            exchange_id=transaction_id,
            at=income.at,
            income=income.amount,
        )

    def _fill(self) -> Fill:
        return Fill(
            order_id=self.exchange_order_id or "",
            client_order_id=self.client_order_id or "",
            side=self.side,
            price=self.price,
            amount=self.amount,
            fee=self.fee,
            fee_asset=self.fee_asset,
            fee_price=self.fee_price,
            realized_pnl=self.realized_pnl,
            at=self.at,
        )
