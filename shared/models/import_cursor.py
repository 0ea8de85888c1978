"""Table `import_cursors`: how far the fills of a key and symbol have been imported. Holds no fill."""

from __future__ import annotations

from pynamodb.attributes import UnicodeAttribute
from pynamodb.expressions.update import Action

from shared.clock import utc_now
from shared.models.attributes import IntegerAttribute, TimeAttribute
from shared.models.base import SCHEMA_VERSION, Table, TableName, conditional_write


class ImportCursor(Table):
    """One symbol of one key: everything before `next_trade_id` is imported."""

    class Meta:
        table_name = TableName("import_cursors")

    api_key_id = UnicodeAttribute(hash_key=True)
    symbol = UnicodeAttribute(range_key=True)
    """The exchange's name, `BTCUSDT`, which stays when a symbol is no longer listed."""
    next_trade_id = IntegerAttribute()
    updated_at = TimeAttribute()

    @classmethod
    def of_key(cls, api_key_id: str) -> dict[str, int]:
        """Return a key's next trade ids, by symbol."""
        return {found.symbol: found.next_trade_id for found in cls.query(api_key_id, consistent_read=True)}

    @classmethod
    def move(cls, api_key_id: str, symbol: str, next_trade_id: int) -> None:
        """Record that every fill before this id is imported; a cursor never moves back."""
        behind = cls.next_trade_id.does_not_exist() | (cls.next_trade_id < next_trade_id)
        actions: list[Action] = [
            cls.next_trade_id.set(next_trade_id),
            cls.updated_at.set(utc_now()),
            cls.schema_version.set(SCHEMA_VERSION),
        ]
        with conditional_write():
            cls(api_key_id, symbol).update(actions=actions, condition=behind)
