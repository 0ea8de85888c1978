"""Table `exchange_keys`: users' API keys at exchanges, the secret encrypted by KMS. Holds no plain secret."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from enum import StrEnum
from typing import Any

from pynamodb.attributes import BinaryAttribute, BooleanAttribute, UnicodeAttribute
from pynamodb.expressions.update import Action

from shared.models.attributes import EnumAttribute, TimeAttribute
from shared.models.base import GlobalSecondaryIndex, IncludeProjection, KeysOnlyProjection, Table, table_name

LISTED_SHARDS = 96
"""Partitions of the listing index, one for each quarter of an hour of the day: its keys are inspected then."""


def listed_shard_of(key_id: str) -> str:
    """Return the partition of the listing index that an active key lies in."""
    return _listed_shard(zlib.crc32(key_id.encode()) % LISTED_SHARDS)


def _listed_shard(number: int) -> str:
    return f"listed#{number}"


class TradeType(StrEnum):
    """What a key trades (documented values)."""

    SPOT = "SPOT"
    FUTURES = "FUTURES"


class StrategyType(StrEnum):
    """Who trades with a key (documented values)."""

    AUTOMATED = "AUTOMATED"
    MANUAL = "MANUAL"


class ApiKeyStatus(StrEnum):
    """How the last access with the key ended (documented values)."""

    AUTHORIZED = "AUTHORIZED"
    UNAUTHORIZED = "UNAUTHORIZED"
    FAILED = "FAILED"


class KeysByUser(GlobalSecondaryIndex["ExchangeKey"]):
    """A user's keys, in the order of creation."""

    class Meta:
        index_name = "by_user"
        projection = KeysOnlyProjection()

    user_id = UnicodeAttribute(hash_key=True)
    created_key = UnicodeAttribute(range_key=True)


class ListedKeys(GlobalSecondaryIndex["ExchangeKey"]):
    """Sparse: every active key, in shards. Eventually consistent: read the record itself again before acting."""

    class Meta:
        index_name = "listed"
        projection = IncludeProjection(["trade_type", "strategy_type", "egress_lane"])

    listed_shard = UnicodeAttribute(hash_key=True)
    id = UnicodeAttribute(range_key=True)


class ExchangeKey(Table):
    """One API key of one user at one exchange."""

    class Meta:
        table_name = table_name("exchange_keys")

    id = UnicodeAttribute(hash_key=True)
    user_id = UnicodeAttribute()
    created_key = UnicodeAttribute()
    exchange_id = UnicodeAttribute(default="BINANCE")
    trade_type = EnumAttribute(TradeType)
    strategy_type = EnumAttribute(StrategyType)
    active = BooleanAttribute(default=True)
    """Written by `save` with the whole record, else by `activation` only: the listing index follows it."""
    listed_shard = UnicodeAttribute(null=True)
    """There while the key is active; never set by hand."""
    deactivated_by_refusal = BooleanAttribute(default=False)
    """True when the exchange's refusal cleared `active`; a later success sets it again."""
    name = UnicodeAttribute(default="")
    api_key = UnicodeAttribute()
    secret_ciphertext = BinaryAttribute(legacy_encoding=False)
    """KMS ciphertext of the secret; its encryption context is the key's id."""
    api_key_status = EnumAttribute(ApiKeyStatus, default=ApiKeyStatus.AUTHORIZED)
    egress_lane = UnicodeAttribute(default="lane-1")
    """The address that the key's requests leave from; its request weight is shared by all keys of the lane."""
    created_at = TimeAttribute()
    updated_at = TimeAttribute()

    by_user = KeysByUser()
    listed = ListedKeys()

    @property
    def trades_automatically(self) -> bool:
        """Tell whether the order executor may ever trade with it."""
        return self.trade_type is TradeType.FUTURES and self.strategy_type is StrategyType.AUTOMATED

    def serialize(self, null_check: bool = True) -> dict[str, dict[str, Any]]:
        """Return the record as DynamoDB takes it. Every write of a whole record comes through here."""
        self.listed_shard = listed_shard_of(self.id) if self.active else None
        return super().serialize(null_check)

    def activation(self, *, active: bool) -> list[Action]:
        """Return what an update must do to switch the key on or off."""
        shard = ExchangeKey.listed_shard
        return [ExchangeKey.active.set(active), shard.set(listed_shard_of(self.id)) if active else shard.remove()]

    @classmethod
    def list_shard(cls, number: int) -> Iterator[ExchangeKey]:
        """Yield the active keys of one shard: id, types and lane, nothing else of the record."""
        yield from cls.listed.query(_listed_shard(number))

    @classmethod
    def list_active(cls) -> Iterator[ExchangeKey]:
        """Yield every active key, of any type: id, types and lane, nothing else of the record."""
        for number in range(LISTED_SHARDS):
            yield from cls.list_shard(number)
