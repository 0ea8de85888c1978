"""Table `followers`: which exchange key follows which strategy. Its key lets a fan-out read it consistently."""

from __future__ import annotations

from enum import StrEnum

from pynamodb.attributes import BooleanAttribute, UnicodeAttribute

from shared.models.attributes import (
    EntrySettingsAttribute,
    EnumAttribute,
    IntegerAttribute,
    PlaceAttribute,
    TimeAttribute,
)
from shared.models.base import GlobalSecondaryIndex, KeysOnlyProjection, Table, TableName
from shared.trading.entry_settings import PROFILE_ALONE, EntrySettings


class FollowerMode(StrEnum):
    """What a follower's user lets alerts do."""

    ACTIVE = "ACTIVE"
    EXITS_ONLY = "EXITS_ONLY"
    """Alerts close positions, and open none."""


class FollowersById(GlobalSecondaryIndex["Follower"]):
    """A follower by its id alone. Eventually consistent: read the record before acting on it."""

    class Meta:
        index_name = "by_id"
        projection = KeysOnlyProjection()

    id = UnicodeAttribute(hash_key=True)


class FollowersByKey(GlobalSecondaryIndex["Follower"]):
    """The followers of an exchange key, by symbol."""

    class Meta:
        index_name = "by_key"
        projection = KeysOnlyProjection()

    api_key_id = UnicodeAttribute(hash_key=True)
    symbol = UnicodeAttribute(range_key=True)


class FollowersByUser(GlobalSecondaryIndex["Follower"]):
    """A user's followers, in the order of creation."""

    class Meta:
        index_name = "by_user"
        projection = KeysOnlyProjection()

    user_id = UnicodeAttribute(hash_key=True)
    created_key = UnicodeAttribute(range_key=True)


class Follower(Table):
    """One exchange key that follows one strategy with one risk profile.

    Whether it may trade is derived from its user, key and plan before each entry, never stored here.
    """

    class Meta:
        table_name = TableName("followers")

    strategy_id = UnicodeAttribute(hash_key=True)
    created_key = UnicodeAttribute(range_key=True)
    """`<created_at>#<id>`: a strategy's followers in the order of creation."""
    id = UnicodeAttribute()
    api_key_id = UnicodeAttribute()
    symbol = UnicodeAttribute()
    user_id = UnicodeAttribute()
    risk_profile_id = UnicodeAttribute()
    active = BooleanAttribute(default=True)
    mode = EnumAttribute(FollowerMode, default=FollowerMode.ACTIVE)
    entry_settings = EntrySettingsAttribute(null=True)
    """How its entries are sized and capped; None while its profile alone decides."""
    ended_at = TimeAttribute(null=True)
    """When its user ended it while a position was open: the record goes with the position. It is not active then."""
    closed_place = PlaceAttribute(null=True)
    """Place in time of an admin's last close of this follower: triggers up to it open nothing."""
    closed_seq = IntegerAttribute(null=True)
    """The same in records of an earlier version, which compared sequence numbers."""
    created_at = TimeAttribute()
    updated_at = TimeAttribute()

    by_id = FollowersById()
    by_key = FollowersByKey()
    by_user = FollowersByUser()

    @property
    def chosen(self) -> EntrySettings:
        """How its entries are sized and capped."""
        return self.entry_settings or PROFILE_ALONE

    @classmethod
    def find_by_id(cls, follower_id: str) -> Follower | None:
        """Return the follower with this id, read consistently, or None."""
        for found in cls.by_id.query(follower_id, limit=1):
            return cls.find(found.strategy_id, found.created_key)
        return None
