"""Table `unique_names`: one record per name in use. Written in the transaction that writes the name's owner."""

from __future__ import annotations

from enum import StrEnum

from pynamodb.attributes import UnicodeAttribute
from pynamodb.transactions import TransactWrite

from shared.models.base import Table, table_name


class NameKind(StrEnum):
    """What the name names; names of different kinds do not collide."""

    STRATEGY = "strategy"
    RISK_PROFILE = "risk_profile"
    PLAN = "subscription"
    DEFAULT_PLAN = "default_subscription"
    """Claimed by the one plan that is the default."""


class UniqueName(Table):
    """A claim on a name: put it on the condition that it does not exist, and two requests cannot both win."""

    class Meta:
        table_name = table_name("unique_names")

    claim = UnicodeAttribute(hash_key=True)
    owner_id = UnicodeAttribute()

    @classmethod
    def claim_key(cls, kind: NameKind, name: str = "") -> str:
        """Return the key of a claim; names differ only by more than case and outer blanks."""
        return f"{kind.value}#{name.strip().casefold()}"

    @classmethod
    def take(cls, transaction: TransactWrite, claim: str, *, owner_id: str, from_id: str | None = None) -> None:
        """Add the write of a claim, which fails where somebody else than `from_id` holds it."""
        free = cls.claim.does_not_exist() | (cls.owner_id == owner_id) | (cls.owner_id == (from_id or owner_id))
        transaction.save(cls(claim, owner_id=owner_id), condition=free)

    @classmethod
    def move(cls, transaction: TransactWrite, *, old: str, new: str, owner_id: str, from_id: str | None = None) -> None:
        """Add the writes of a rename: the new claim is taken, the old one let go. Nothing for the same claim."""
        if new == old:
            return
        cls.take(transaction, new, owner_id=owner_id, from_id=from_id)
        # Records that were written before names were claimed have nothing to let go.
        mine = cls.claim.does_not_exist() | (cls.owner_id == owner_id)
        transaction.delete(cls(old), condition=mine)
