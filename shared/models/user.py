"""Table `users`: the people. Cognito owns sign-in (status, e-mail, enabled); the rest is ours. Holds no secret."""

from __future__ import annotations

from pynamodb.attributes import BooleanAttribute, UnicodeAttribute

from shared.models.attributes import TimeAttribute
from shared.models.base import LISTED, GlobalSecondaryIndex, KeysOnlyProjection, Table, table_name


class UsersByCreation(GlobalSecondaryIndex["User"]):
    """Every user, in the order of sign-up."""

    class Meta:
        """Where it lies."""

        index_name = "by_created"
        projection = KeysOnlyProjection()

    listed = UnicodeAttribute(hash_key=True)
    created_key = UnicodeAttribute(range_key=True)


class User(Table):
    """One user; `id` is the Cognito `sub`."""

    class Meta:
        """Where it lies."""

        table_name = table_name("users")

    id = UnicodeAttribute(hash_key=True)
    listed = UnicodeAttribute(default=LISTED)
    created_key = UnicodeAttribute()
    status = UnicodeAttribute(default="CONFIRMED")
    active = BooleanAttribute(default=True)
    """False while an admin has disabled the user: no follower of theirs enters a trade."""
    email = UnicodeAttribute(default="")
    email_verified = BooleanAttribute(default=False)
    first_name = UnicodeAttribute(default="")
    last_name = UnicodeAttribute(default="")
    subscription_id = UnicodeAttribute(null=True)
    subscription_updated_at = TimeAttribute(null=True)
    stripe_customer_id = UnicodeAttribute(null=True)
    plan_lapsed = BooleanAttribute(default=False)
    """True when the subscription is no longer paid for: no new entries, open positions keep their protection."""
    telegram_chat_id = UnicodeAttribute(null=True)
    created_at = TimeAttribute()
    updated_at = TimeAttribute()

    by_created = UsersByCreation()
