"""Table `import_scans`: how far the search for traded symbols has come, per exchange key."""

from __future__ import annotations

from typing import Any

from pynamodb.attributes import BooleanAttribute, JSONAttribute, UnicodeAttribute

from shared.models.attributes import IntegerAttribute, TimeAttribute
from shared.models.base import Table, TableName, conditional_write


class ImportScan(Table):
    """The search for the symbols of one MANUAL key."""

    class Meta:
        table_name = TableName("import_scans")

    api_key_id = UnicodeAttribute(hash_key=True)
    scanned_until = TimeAttribute()
    """Futures: every symbol that was traded until then has been found and imported."""
    fingerprint = UnicodeAttribute(attr_name="mark")
    """Of the account's holdings at the last check: while it stays the same, nothing was traded."""
    quiet = BooleanAttribute(default=False)
    """Two checks in a row found this fingerprint: the exchange's lists show everything that was traded before."""
    amounts: JSONAttribute = JSONAttribute(default=dict)
    """Spot: the amounts when the account was last quiet, of every asset that it ever held."""
    swept = UnicodeAttribute(default="")
    """Spot: the last pair that was queried in turn."""
    sweep_left = IntegerAttribute(default=0)
    """Spot: number of pairs that remain to be queried since the last trade."""
    checked_at = TimeAttribute(attr_name="looked_at")

    def replace(self, before: ImportScan | None) -> None:
        """Store this in place of `before`; a record that another worker has written meanwhile stays."""
        condition: Any = ImportScan.api_key_id.does_not_exist()
        if before is not None:
            condition = ImportScan.checked_at == before.checked_at
        with conditional_write():
            self.save(condition=condition)
