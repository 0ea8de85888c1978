"""Claims on an exchange account and on an API key, so that each is connected once. Knows no request.

A claim is written with the key that holds it. It counts only while that key exists as it was, so that nothing is locked
for good should a claim be left behind.
"""

from __future__ import annotations

from dataclasses import dataclass

from pynamodb.transactions import TransactWrite

from shared.models.account_claim import AccountClaim
from shared.models.exchange_key import ExchangeKey
from shared.models.unique_name import NameKind, UniqueName


@dataclass(frozen=True, slots=True)
class Claim:
    """One claim as it was read: free, or held by another key."""

    key: str
    holder_id: str | None
    """The key that the claim's record names, whether or not it counts still."""
    held: bool

    def take(self, transaction: TransactWrite, *, owner_id: str) -> None:
        """Add the write of the claim; it fails if another key has taken it since it was read."""
        UniqueName.take(transaction, self.key, owner_id=owner_id, from_id=self.holder_id)


def claim_on_account(alias: str, *, by: str) -> Claim:
    """Return the claim on an account, to be traded automatically through the key `by`."""
    name = UniqueName.exact_claim_key(NameKind.ACCOUNT, alias)
    holder_id = _holder(name)
    # Keys from before accounts were claimed have claimed the account's positions.
    others = {holder_id} | {claim.api_key_id for claim in AccountClaim.query(alias, consistent_read=True)}
    held = any(_trades(other, alias) for other in others if other not in {None, by})
    return Claim(name, holder_id, held)


def claim_on_api_key(api_key: str, *, by: str) -> Claim:
    """Return the claim on an API key, to be connected as the key `by`."""
    name = UniqueName.exact_claim_key(NameKind.API_KEY, api_key)
    holder_id = _holder(name)
    key = ExchangeKey.find(holder_id) if holder_id not in {None, by} else None
    return Claim(name, holder_id, key is not None and key.api_key == api_key)


def release_all(transaction: TransactWrite, key: ExchangeKey) -> None:
    """Add the deletes of the claims that a key holds."""
    names = [UniqueName.exact_claim_key(NameKind.API_KEY, key.api_key)]
    if key.account_alias is not None:
        names.append(UniqueName.exact_claim_key(NameKind.ACCOUNT, key.account_alias))
    for name in names:
        if _holder(name) == key.id:
            UniqueName.release(transaction, name, owner_id=key.id)


def _holder(name: str) -> str | None:
    found = UniqueName.find(name)
    return found.owner_id if found is not None else None


def _trades(key_id: str | None, alias: str) -> bool:
    key = ExchangeKey.find(key_id) if key_id is not None else None
    return key is not None and key.trades_automatically and key.account_alias in {alias, None}
