"""Table `exchange_keys`: users' API keys at exchanges, the secret encrypted by KMS. Holds no plain secret."""

from __future__ import annotations

from enum import StrEnum

from pynamodb.attributes import BinaryAttribute, BooleanAttribute, UnicodeAttribute

from shared.models.attributes import EnumAttribute, TimeAttribute
from shared.models.base import GlobalSecondaryIndex, KeysOnlyProjection, Table, table_name


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
        """Where it lies."""

        index_name = "by_user"
        projection = KeysOnlyProjection()

    user_id = UnicodeAttribute(hash_key=True)
    created_key = UnicodeAttribute(range_key=True)


class ExchangeKey(Table):
    """One API key of one user at one exchange."""

    class Meta:
        """Where it lies."""

        table_name = table_name("exchange_keys")

    id = UnicodeAttribute(hash_key=True)
    user_id = UnicodeAttribute()
    created_key = UnicodeAttribute()
    exchange_id = UnicodeAttribute(default="BINANCE")
    trade_type = EnumAttribute(TradeType)
    strategy_type = EnumAttribute(StrategyType)
    active = BooleanAttribute(default=True)
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
