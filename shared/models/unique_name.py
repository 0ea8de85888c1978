"""Table `unique_names`: one record per name in use, written in the transaction that writes the name's owner."""

from __future__ import annotations

from enum import StrEnum

from pynamodb.attributes import UnicodeAttribute
from pynamodb.transactions import TransactWrite

from shared.models.base import Table, TableName, conditional_write
from shared.readable_text import fold_name


class NameKind(StrEnum):
    """The kind of thing that has the name; names of different kinds do not collide."""

    STRATEGY = "strategy"
    RISK_PROFILE = "risk_profile"
    PLAN = "subscription"
    DEFAULT_PLAN = "default_subscription"
    """Claimed by the one plan that is the default."""
    ACCOUNT = "account"
    """An exchange account, claimed by the one key that trades it automatically."""
    API_KEY = "api_key"
    """An exchange's API key, claimed by the record that holds it."""
    FOLLOWED = "followed"
    """An exchange account and a symbol, claimed by the one follower that trades it."""


class UniqueName(Table):
    """A claim on a name; its conditional write lets only one of two requests succeed."""

    class Meta:
        table_name = TableName("unique_names")

    claim = UnicodeAttribute(hash_key=True)
    owner_id = UnicodeAttribute()

    @classmethod
    def claim_key(cls, kind: NameKind, name: str = "") -> str:
        """Return the key of a claim, the same for all names that people read as one."""
        return f"{kind.value}#{fold_name(name)}"

    @classmethod
    def exact_claim_key(cls, kind: NameKind, *parts: str) -> str:
        """Return the key of a claim on names that machines give: they are the same only if they are equal."""
        return "#".join((kind.value, *parts))

    @classmethod
    def take_if_free(cls, claim: str, *, owner_id: str) -> bool:
        """Take a claim that nobody has, and return whether it was taken."""
        with conditional_write() as write:
            cls(claim, owner_id=owner_id).save(condition=cls.claim.does_not_exist())
        return write.applied

    @classmethod
    def release(cls, transaction: TransactWrite, claim: str, *, owner_id: str) -> None:
        """Add the delete of a claim; it fails if another owner holds it, and not if nobody does."""
        transaction.delete(cls(claim), condition=cls.claim.does_not_exist() | (cls.owner_id == owner_id))

    @classmethod
    def former_claim_key(cls, kind: NameKind, name: str) -> str:
        """Return the key that claims had at first, which ignores a name's case and outer blanks only.

        Where both differ, no name has this key any more: a key is the folded form of itself.
        """
        return f"{kind.value}#{name.strip().casefold()}"

    @classmethod
    def take(cls, transaction: TransactWrite, claim: str, *, owner_id: str, from_id: str | None = None) -> None:
        """Add the write of a claim; it fails if another owner than `from_id` holds it."""
        free = cls.claim.does_not_exist() | (cls.owner_id == owner_id) | (cls.owner_id == (from_id or owner_id))
        transaction.save(cls(claim, owner_id=owner_id), condition=free)

    @classmethod
    def rename(
        cls,
        transaction: TransactWrite,
        kind: NameKind,
        *,
        old: str,
        new: str,
        owner_id: str,
        from_id: str | None = None,
    ) -> None:
        """Add the writes of a rename: take the claim of the new name, and release those of the old one."""
        claim = cls.claim_key(kind, new)
        cls.take(transaction, claim, owner_id=owner_id, from_id=from_id)
        # An old record may have either claim or none, and another record may have the claim of a name that reads alike.
        for released in sorted({cls.claim_key(kind, old), cls.former_claim_key(kind, old)} - {claim}):
            held = cls.find(released)
            if held is not None and held.owner_id == owner_id:
                transaction.delete(cls(released), condition=cls.owner_id == owner_id)
