"""Table `follower_performance`: the total result of each follower."""

from __future__ import annotations

from decimal import Decimal

from pynamodb.attributes import UnicodeAttribute

from shared.models.attributes import DecimalAttribute, IntegerAttribute, TimeAttribute
from shared.models.base import Table, TableName


class FollowerPerformance(Table):
    """Running totals, updated in the transaction that books an execution, so that each execution counts once."""

    class Meta:
        table_name = TableName("follower_performance")

    follower_id = UnicodeAttribute(hash_key=True)
    id = UnicodeAttribute()
    total_profit = DecimalAttribute(default=lambda: Decimal(0))
    """Sum of realised profits after fees, funding included, in the margin asset (USDT)."""
    total_fee = DecimalAttribute(default=lambda: Decimal(0))
    total_funding = DecimalAttribute(default=lambda: Decimal(0))
    trades = IntegerAttribute(default=0)
    closed_balance = DecimalAttribute(null=True)
    """Wallet balance (USDT) after the latest trade was closed."""
    updated_at = TimeAttribute()
