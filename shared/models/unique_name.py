"""Table `unique_names`: one record per name in use, written in the transaction that writes the name's owner."""

from __future__ import annotations

from enum import StrEnum

from pynamodb.attributes import UnicodeAttribute
from pynamodb.transactions import TransactWrite

from shared.models.base import Table, TableName


class NameKind(StrEnum):
    """The kind of thing that has the name; names of different kinds do not collide."""

    STRATEGY = "strategy"
    RISK_PROFILE = "risk_profile"
    PLAN = "subscription"
    DEFAULT_PLAN = "default_subscription"
    """Claimed by the one plan that is the default."""


class UniqueName(Table):
    """A claim on a name; its conditional write lets only one of two requests succeed."""

    class Meta:
        table_name = TableName("unique_names")

    claim = UnicodeAttribute(hash_key=True)
    owner_id = UnicodeAttribute()

    @classmethod
    def claim_key(cls, kind: NameKind, name: str = "") -> str:
        """Return the key of a claim, which ignores a name's case and outer blanks."""
        return f"{kind.value}#{name.strip().casefold()}"

    @classmethod
    def take(cls, transaction: TransactWrite, claim: str, *, owner_id: str, from_id: str | None = None) -> None:
        """Add the write of a claim; it fails if another owner than `from_id` holds it."""
        free = cls.claim.does_not_exist() | (cls.owner_id == owner_id) | (cls.owner_id == (from_id or owner_id))
        transaction.save(cls(claim, owner_id=owner_id), condition=free)

    @classmethod
    def move(cls, transaction: TransactWrite, *, old: str, new: str, owner_id: str, from_id: str | None = None) -> None:
        """Add the writes of a rename: take the new claim and release the old one, unless they are the same."""
        if new == old:
            return
        cls.take(transaction, new, owner_id=owner_id, from_id=from_id)
        # Records from before names were claimed have no claim to release.
        mine = cls.claim.does_not_exist() | (cls.owner_id == owner_id)
        transaction.delete(cls(old), condition=mine)
