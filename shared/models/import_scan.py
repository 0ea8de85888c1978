"""Table `import_scans`: how far it has been found out which symbols were traded with an exchange key."""

from __future__ import annotations

from typing import Any

from pynamodb.attributes import BooleanAttribute, JSONAttribute, UnicodeAttribute

from shared.models.attributes import IntegerAttribute, TimeAttribute
from shared.models.base import Table, conditional_write, table_name


class ImportScan(Table):
    """One key that its owner trades with."""

    class Meta:
        table_name = table_name("import_scans")

    api_key_id = UnicodeAttribute(hash_key=True)
    scanned_until = TimeAttribute()
    """Futures: every symbol that was traded until then is found and imported."""
    mark = UnicodeAttribute()
    """A fingerprint of the account as it was last seen: while it stays the same, nothing was traded."""
    quiet = BooleanAttribute(default=False)
    """The account was looked at twice with this mark: what was traded until then has been shown."""
    amounts: JSONAttribute = JSONAttribute(default=dict)
    """Spot: what the account held of each asset that it ever held, when it was last quiet."""
    swept = UnicodeAttribute(default="")
    """Spot: the last pair that was asked in turn."""
    sweep_left = IntegerAttribute(default=0)
    """Spot: how many pairs are still to be asked since something was traded."""
    looked_at = TimeAttribute()

    def replace(self, before: ImportScan | None) -> None:
        """Store this in place of what was read before; another worker's that came between stays."""
        condition: Any = ImportScan.api_key_id.does_not_exist()
        if before is not None:
            condition = ImportScan.looked_at == before.looked_at
        with conditional_write():
            self.save(condition=condition)
