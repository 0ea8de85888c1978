"""Table `exchange_keys`: users' API keys at exchanges, with secrets encrypted by KMS. Holds no plain secret."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from pynamodb.attributes import BinaryAttribute, BooleanAttribute, JSONAttribute, UnicodeAttribute
from pynamodb.expressions.update import Action

from shared.clock import from_iso, to_iso
from shared.models.attributes import EnumAttribute, TimeAttribute, text_list
from shared.models.base import (
    GlobalSecondaryIndex,
    IncludeProjection,
    KeysOnlyProjection,
    Table,
    TableName,
    conditional_write,
)
from shared.trading.lane_choice import FIRST_LANE
from shared.trading.risk import taker_rate_for_sizing

LISTED_SHARDS = 96
"""Partitions of the listing index: one for each quarter of an hour, in which its keys are inspected."""


def listed_shard_of(key_id: str) -> str:
    """Return an active key's partition of the listing index."""
    return _listed_shard(zlib.crc32(key_id.encode()) % LISTED_SHARDS)


def _listed_shard(number: int) -> str:
    return f"listed#{number}"


SPOT_ACCOUNT = "spot "
"""Begins the names of spot accounts (`shared.exchange.responses.spot_account`)."""


class TradeType(StrEnum):
    """The market that a key trades (documented values)."""

    SPOT = "SPOT"
    FUTURES = "FUTURES"


class StrategyType(StrEnum):
    """Who trades with a key (documented values)."""

    AUTOMATED = "AUTOMATED"
    MANUAL = "MANUAL"


class ApiKeyStatus(StrEnum):
    """The outcome of the last access with the key (documented values)."""

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
    """Sparse: every active key, in shards. Eventually consistent: read the record before acting on it."""

    class Meta:
        index_name = "listed"
        projection = IncludeProjection(["trade_type", "strategy_type", "egress_lane"])

    listed_shard = UnicodeAttribute(hash_key=True)
    id = UnicodeAttribute(range_key=True)


class ExchangeKey(Table):
    """One API key of one user at one exchange."""

    class Meta:
        table_name = TableName("exchange_keys")

    id = UnicodeAttribute(hash_key=True)
    user_id = UnicodeAttribute()
    created_key = UnicodeAttribute()
    exchange_id = UnicodeAttribute(default="BINANCE")
    trade_type = EnumAttribute(TradeType)
    strategy_type = EnumAttribute(StrategyType)
    active = BooleanAttribute(default=True)
    """Change it by `activation` or by `save` of the whole record, which both maintain the listing index."""
    listed_shard = UnicodeAttribute(null=True)
    """Present while the key is active; set by `serialize` and `activation` only."""
    deactivated_by_refusal = BooleanAttribute(default=False)
    """True if a refusal of the exchange cleared `active`; a later success sets `active` again."""
    name = UnicodeAttribute(default="")
    api_key = UnicodeAttribute()
    secret_ciphertext = BinaryAttribute(legacy_encoding=False)
    """KMS ciphertext of the secret; its encryption context is its kind and the key's id."""
    api_key_status = EnumAttribute(ApiKeyStatus, default=ApiKeyStatus.AUTHORIZED)
    egress_lane = UnicodeAttribute(default=FIRST_LANE)
    """The lane that the key names, unless `egress_lanes` has several."""
    egress_lanes = text_list(null=True)
    """The lanes whose addresses its owner has bound to the API key; see `named_lanes`."""
    taker_rates: JSONAttribute = JSONAttribute(null=True)
    """The account's own taker rates by symbol, with the API key that read them and the time; see `save_taker_rates`."""
    account: JSONAttribute = JSONAttribute(null=True)
    """The exchange's name of the account, with the API key that read it; see `save_account_alias`."""
    created_at = TimeAttribute()
    updated_at = TimeAttribute()

    by_user = KeysByUser()
    listed = ListedKeys()

    @property
    def trades_automatically(self) -> bool:
        """Whether the order executor may trade with the key."""
        return self.trade_type is TradeType.FUTURES and self.strategy_type is StrategyType.AUTOMATED

    @property
    def named_lanes(self) -> tuple[str, ...]:
        """The lanes that the key names; a refusal at the address of another is not the key's fault.

        Entries and exits leave by these. Every key binds the first lane's address too, whether it names it or not.
        """
        return tuple(self.egress_lanes or [self.egress_lane])

    def name_lanes(self, lanes: Sequence[str]) -> list[Action]:
        """Name these lanes, and return the update actions that store them."""
        self.egress_lane, self.egress_lanes = lanes[0], list(lanes)
        return [ExchangeKey.egress_lane.set(lanes[0]), ExchangeKey.egress_lanes.set(list(lanes))]

    @property
    def account_alias(self) -> str | None:
        """The exchange's name of the key's account, the same through each of its keys; None while it is unknown."""
        known = self.account or {}
        # An API key that its owner has put in place of another may lead to another account.
        if known.get("apiKey") != self.api_key:
            return None
        alias: str = known["alias"]
        # Earlier versions recorded the futures account of spot keys too; it is not the one that the key trades.
        if self.trade_type is TradeType.SPOT and not alias.startswith(SPOT_ACCOUNT):
            return None
        return alias

    def save_account_alias(self, alias: str) -> None:
        """Store the exchange's name of the account, unless the key's owner has replaced the API key meanwhile."""
        read = {"apiKey": self.api_key, "alias": alias}
        with conditional_write():
            self.update(actions=[ExchangeKey.account.set(read)], condition=ExchangeKey.api_key == self.api_key)

    def taker_rate(self, symbol: str, *, now: datetime) -> Decimal:
        """Return the taker rate, a share of the notional, with which an entry on the symbol is sized."""
        known = self.taker_rates or {}
        # Rates of an API key that its owner has replaced may be another account's.
        rates = known["rates"] if known.get("apiKey") == self.api_key else {}
        if symbol not in rates:
            return taker_rate_for_sizing(None, read_at=None, now=now)
        return taker_rate_for_sizing(Decimal(rates[symbol]), read_at=from_iso(known["readAt"]), now=now)

    def save_taker_rates(self, rates: Mapping[str, Decimal], *, read_at: datetime) -> None:
        """Store the account's taker rates by symbol, unless the key's owner has replaced it meanwhile."""
        texts = {symbol: format(rate, "f") for symbol, rate in rates.items()}
        read = {"apiKey": self.api_key, "readAt": to_iso(read_at), "rates": texts}
        with conditional_write():
            self.update(actions=[ExchangeKey.taker_rates.set(read)], condition=ExchangeKey.api_key == self.api_key)

    def serialize(self, null_check: bool = True) -> dict[str, dict[str, Any]]:
        """Return the record in DynamoDB's format. Every write of a whole record uses this."""
        self.listed_shard = listed_shard_of(self.id) if self.active else None
        return super().serialize(null_check)

    def activation(self, *, active: bool) -> list[Action]:
        """Return the update actions that switch the key on or off."""
        shard = ExchangeKey.listed_shard
        return [ExchangeKey.active.set(active), shard.set(listed_shard_of(self.id)) if active else shard.remove()]

    @classmethod
    def list_shard(cls, number: int) -> Iterator[ExchangeKey]:
        """Yield the active keys of one shard, with id, types and `egress_lane` only."""
        yield from cls.listed.query(_listed_shard(number))

    @classmethod
    def list_active(cls) -> Iterator[ExchangeKey]:
        """Yield every active key, of any type, with id, types and `egress_lane` only."""
        for number in range(LISTED_SHARDS):
            yield from cls.list_shard(number)
