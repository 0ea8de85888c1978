"""Table `position_history`: the exchange's fills and incomes of an execution, kept as they were seen.

The exchange forgets them after three months, so for a long position this is the only record. Entries never change and
are named by the exchange's ids: storing one again, by this worker or another, changes nothing.

An owner may trade by hand on the symbol thousands of times. Their old fills are netted by hours, so that calculating a
position reads few entries; the fills themselves stay, under keys that it does not read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import assert_never

from pynamodb.attributes import UnicodeAttribute

from shared.models.attributes import DecimalAttribute, EnumAttribute, TimeAttribute
from shared.models.base import Table, TableName
from shared.trading.funding import FundingPayment, Income
from shared.trading.position_accounting import Fill, NetFill
from shared.trading.sides import Side


class HistoryKind(StrEnum):
    """What an entry of a position's history is."""

    FILL = "FILL"
    FUNDING = "FUNDING"
    LIQUIDATION_FEE = "LIQUIDATION_FEE"
    NET = "NET"
    """The owner's fills of an hour together."""


_PART_OF_NET = "PART_OF_NET#"
"""Begins the keys of fills that a net stands for; it sorts after those of every kind."""


@dataclass(frozen=True, slots=True)
class StoredHistory:
    """What is stored of one execution, by the exchange's ids."""

    fills: dict[int, Fill] = field(default_factory=dict)
    """A net has the number of its last fill."""
    netted: set[int] = field(default_factory=set)
    """Which of the fills are nets."""
    funding: dict[str, FundingPayment] = field(default_factory=dict)
    left_over: dict[int, Fill] = field(default_factory=dict)
    """Fills that a net stands for, and that are not moved yet (`move_netted`)."""


class PositionHistory(Table):
    """One fill on the symbol while the execution was open, of any order of the account, or one income."""

    class Meta:
        table_name = TableName("position_history")

    execution_id = UnicodeAttribute(hash_key=True)
    entry_key = UnicodeAttribute(range_key=True)
    """`<kind>#<exchange id>`."""
    kind = EnumAttribute(HistoryKind)
    exchange_id = UnicodeAttribute()
    """The exchange's id of the fill, of the last fill of a net, or of the income's transaction."""
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

    # A net.
    first_exchange_id = UnicodeAttribute(null=True)

    @classmethod
    def read(cls, execution_id: str) -> StoredHistory:
        """Return what is stored of an execution, the owner's older fills as their nets."""
        stored = StoredHistory()
        nets: list[range] = []
        for entry in cls.query(execution_id, cls.entry_key < _PART_OF_NET, consistent_read=True):
            match entry.kind:
                case HistoryKind.FILL:
                    stored.fills[int(entry.exchange_id)] = entry._fill()
                case HistoryKind.NET:
                    # All keys of fills come before those of nets, so a net takes the place of its last fill.
                    last = int(entry.exchange_id)
                    nets.append(range(int(entry.first_exchange_id), last + 1))
                    if last in stored.fills:
                        stored.left_over[last] = stored.fills[last]
                    stored.netted.add(last)
                    stored.fills[last] = entry._fill()
                case HistoryKind.FUNDING:
                    stored.funding[entry.exchange_id] = FundingPayment(entry.income or Decimal(0), entry.at)
                case HistoryKind.LIQUIDATION_FEE:
                    pass  # read from the exchange by the booking, which stores it
                case _:
                    assert_never(entry.kind)
        newest = max(stored.netted, default=-1)
        for number in [one for one in stored.fills if one <= newest and one not in stored.netted]:
            if any(number in net for net in nets):
                stored.left_over[number] = stored.fills.pop(number)
        return stored

    @classmethod
    def store(cls, entries: Iterable[PositionHistory]) -> None:
        """Store entries, in requests of 25."""
        with cls.batch_write() as batch:
            for entry in entries:
                batch.save(entry)

    @classmethod
    def move_netted(cls, execution_id: str, fills: Mapping[int, Fill]) -> None:
        """Keep fills that a stored net stands for under keys that `read` leaves out; repeatable after a crash."""
        with cls.batch_write() as batch:
            for number, fill in fills.items():
                kept = cls.of_fill(execution_id, number, fill)
                kept.entry_key = f"{_PART_OF_NET}{number}"
                batch.save(kept)
        with cls.batch_write() as batch:
            for number, fill in fills.items():
                batch.delete(cls.of_fill(execution_id, number, fill))

    @classmethod
    def of_net(cls, execution_id: str, net: NetFill) -> PositionHistory:
        """Return the entry of a net."""
        entry = cls.of_fill(execution_id, net.numbers[-1], net.fill)
        entry.entry_key = f"{HistoryKind.NET.value}#{net.numbers[-1]}"
        entry.kind = HistoryKind.NET
        entry.first_exchange_id = str(net.numbers[0])
        return entry

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
