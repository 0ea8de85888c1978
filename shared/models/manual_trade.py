"""Table `manual_trades`: the fills of users' own trades, imported from their MANUAL keys."""

from __future__ import annotations

from datetime import datetime
from uuid import NAMESPACE_OID, UUID, uuid5

from pynamodb.attributes import UnicodeAttribute

from shared.clock import to_iso
from shared.models.attributes import DecimalAttribute, EnumAttribute, TimeAttribute
from shared.models.base import GlobalSecondaryIndex, KeysOnlyProjection, Table, TableName, created_key
from shared.trading.sides import Side

_NAMESPACE: UUID = uuid5(NAMESPACE_OID, "manual trade")


def manual_trade_id(*, api_key_id: str, symbol: str, exchange_trade_id: str) -> str:
    """Return the id of a fill, the same with each import (exchanges number fills by symbol)."""
    return str(uuid5(_NAMESPACE, f"{api_key_id}#{symbol}#{exchange_trade_id}"))


class ManualTradesByUser(GlobalSecondaryIndex["ManualTrade"]):
    """A user's fills, of all keys, by time."""

    class Meta:
        index_name = "by_user"
        projection = KeysOnlyProjection()

    user_id = UnicodeAttribute(hash_key=True)
    trade_key = UnicodeAttribute(range_key=True)


class ManualTrade(Table):
    """One fill. Prices and money in the quote asset, amounts in the base asset."""

    class Meta:
        table_name = TableName("manual_trades")

    api_key_id = UnicodeAttribute(hash_key=True)
    trade_key = UnicodeAttribute(range_key=True)
    """`<time>#<id>`: a key's fills by time; see `key_of`."""
    id = UnicodeAttribute()
    user_id = UnicodeAttribute()
    exchange_trade_id = UnicodeAttribute()
    exchange_order_id = UnicodeAttribute()
    symbol = UnicodeAttribute()
    side = EnumAttribute(Side)
    amount = DecimalAttribute()
    price = DecimalAttribute()
    cost = DecimalAttribute()
    fee = DecimalAttribute()
    fee_currency = UnicodeAttribute()
    realized_pnl = DecimalAttribute(null=True)
    """Before fees; None on spot, where the exchange reports none."""
    created_at = TimeAttribute()
    """When it was filled, by the exchange's clock."""

    by_user = ManualTradesByUser()

    @classmethod
    def key_of(cls, filled_at: datetime, trade_id: str) -> str:
        """Return the sort key of a fill."""
        return created_key(to_iso(filled_at), trade_id)
