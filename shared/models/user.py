"""Table `users`: the people, how their records are created, and how they follow Cognito. Holds no secret; calls nobody.

Each field has one owner. Cognito owns what a sign-in needs: the record holds copies, and later values from Cognito
(`Account`) replace them. Everything else is ours, and is never read from Cognito:

- Cognito's: `id` (its `sub`), `username`, `status`, `email`, `email_verified`.
- Ours: the names (a sign-up may bring the first ones), the Telegram chat, whether reports are wanted, the times.
- Stripe's, once the user has subscribed there: the plan, whether it has lapsed, the customer. Until then the plan is
  the default one. Only `apply_subscriptions` writes the first two; `begin_checkout` writes the customer, while no
  subscription lives.
- `active` is ours, because it decides about money: a follower trades only while it is true. Cognito's own switch
  follows it, and a change made in Cognito alone does not change it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from pynamodb.attributes import BooleanAttribute, UnicodeAttribute, UnicodeSetAttribute
from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action
from pynamodb.transactions import TransactWrite

from shared.clock import to_iso, utc_now
from shared.models.attributes import IntegerAttribute, TimeAttribute
from shared.models.base import (
    LISTED,
    GlobalSecondaryIndex,
    KeysOnlyProjection,
    Table,
    TableName,
    created_key,
    epoch_after,
    transact,
)
from shared.models.stripe_customer import StripeCustomer
from shared.models.unique_name import NameKind, UniqueName
from shared.observability import logger

ADMIN_GROUP = "admin"
"""The user pool's group of those who may use the admin API."""

CLOSED_RETENTION = timedelta(days=3653)
"""How long the record of a closed account is kept: ten years, the longest that tax law asks for."""

CONFIRMED = "CONFIRMED"
UNCONFIRMED = "UNCONFIRMED"
"""Signed up without having confirmed the e-mail address: not a user of ours yet."""
UNKNOWN = "UNKNOWN"
"""Cognito shows no such account."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A user's account in Cognito, as read at one moment."""

    id: str
    username: str = ""
    """The name in the pool, where it is not the id: of a user from Google, `Google_…`."""
    status: str = CONFIRMED
    email: str = ""
    email_verified: bool = False
    enabled: bool = True
    first_name: str = ""
    last_name: str = ""
    created_at: datetime | None = None
    """None where Cognito's event does not say."""

    @property
    def pool_name(self) -> str:
        """The name by which the pool's actions find the account."""
        return self.username or self.id


class UsersByCreation(GlobalSecondaryIndex["User"]):
    """Every user, in the order of sign-up."""

    class Meta:
        index_name = "by_created"
        projection = KeysOnlyProjection()

    listed = UnicodeAttribute(hash_key=True)
    created_key = UnicodeAttribute(range_key=True)


class UsersByTelegramChat(GlobalSecondaryIndex["User"]):
    """The users of a Telegram chat; sparse. Somebody with two accounts may link both to one chat."""

    class Meta:
        index_name = "by_telegram_chat"
        projection = KeysOnlyProjection()

    telegram_chat_id = UnicodeAttribute(hash_key=True)


class User(Table):
    """One user; the module's docstring says who owns which field."""

    class Meta:
        table_name = TableName("users")

    id = UnicodeAttribute(hash_key=True)
    listed = UnicodeAttribute(default=LISTED)
    created_key = UnicodeAttribute()
    username = UnicodeAttribute(null=True)
    """The name in the pool, where it is not the id."""
    status = UnicodeAttribute(default=CONFIRMED)
    active = BooleanAttribute(default=True)
    """False while an admin has disabled the user: no follower of theirs enters a trade."""
    email = UnicodeAttribute(default="")
    email_verified = BooleanAttribute(default=False)
    first_name = UnicodeAttribute(default="")
    last_name = UnicodeAttribute(default="")
    plan_id = UnicodeAttribute(attr_name="subscription_id", null=True)
    plan_changed_at = TimeAttribute(attr_name="subscription_updated_at", null=True)
    stripe_customer_id = UnicodeAttribute(null=True)
    plan_lapsed = BooleanAttribute(default=False)
    """True when the subscription is no longer paid for: no new entries, open positions keep their protection."""
    stripe_revision = IntegerAttribute(default=0)
    """The number of Stripe events applied: a write that was computed from an older revision fails."""
    checkouts_open_until = TimeAttribute(null=True)
    """When the last of the customer's Checkout sessions expires."""
    api_key_ids = UnicodeSetAttribute(null=True)
    """The user's exchange keys, so that a condition can count them; absent before the first is connected through us."""
    telegram_chat_id = UnicodeAttribute(null=True)
    reports_wanted = BooleanAttribute(default=True)
    """False for users whom an operator has taken off the reports; their own switches, below, replace it."""
    weekly_report_wanted = BooleanAttribute(null=True)
    monthly_report_wanted = BooleanAttribute(null=True)
    trade_messages_wanted = BooleanAttribute(default=True)
    """False for users who want no message about each trade."""
    closed_at = TimeAttribute(null=True)
    """When the user closed the account: it has no keys, followers and sign-in any more."""
    expires_at = IntegerAttribute(null=True)
    """Of a closed account: Unix seconds (the table's TTL attribute), after which the law no longer asks for it."""
    created_at = TimeAttribute()
    updated_at = TimeAttribute()

    by_created = UsersByCreation()
    by_telegram_chat = UsersByTelegramChat()

    @property
    def wants_weekly_report(self) -> bool:
        """Whether the user gets a report on each week."""
        return self.reports_wanted if self.weekly_report_wanted is None else self.weekly_report_wanted

    @property
    def wants_monthly_report(self) -> bool:
        """Whether the user gets a report on each month."""
        return self.reports_wanted if self.monthly_report_wanted is None else self.monthly_report_wanted

    def change_settings(self, changes: Mapping[str, str | bool]) -> list[str]:
        """Store what the user has set, by attribute, and return the attributes that it has changed."""
        different = {name: value for name, value in changes.items() if getattr(self, name) != value}
        if different:
            actions = [getattr(User, name).set(value) for name, value in different.items()]
            self._change(*actions, condition=User.id.exists())
        return sorted(different)

    def set_active(self, active: bool) -> None:
        """Let the user's followers trade or not; write nothing when `active` is so already."""
        self._change(User.active.set(active), condition=User.active == (not active))

    def close(self) -> None:
        """Record that the account is closed, and when its record goes; a closed account stays as it is."""
        now = utc_now()
        self._change(
            User.closed_at.set(now),
            User.active.set(False),
            User.expires_at.set(epoch_after(now, CLOSED_RETENTION)),
            User.telegram_chat_id.remove(),
            User.weekly_report_wanted.set(False),
            User.monthly_report_wanted.set(False),
            User.trade_messages_wanted.set(False),
            condition=User.id.exists() & User.closed_at.does_not_exist(),
        )

    def unlink_telegram(self) -> None:
        """Remove the Telegram chat; write nothing when there is none."""
        self._change(User.telegram_chat_id.remove(), condition=User.telegram_chat_id.exists())

    def unlink_chat(self, chat_id: str) -> bool:
        """Remove this Telegram chat, and return whether it was the user's; another chat stays."""
        return self._change(User.telegram_chat_id.remove(), condition=User.telegram_chat_id == chat_id)

    @classmethod
    def of_chat(cls, chat_id: str) -> list[User]:
        """Return the users who are linked to a Telegram chat."""
        ids = [found.id for found in cls.by_telegram_chat.query(chat_id)]
        users = cls.find_many(ids, consistent=True)
        return [user for user in users.values() if user.telegram_chat_id == chat_id]

    def apply_subscriptions(
        self, transaction: TransactWrite, *, plan_id: str | None, lapsed: bool, customer_id: str, at: datetime
    ) -> None:
        """Add the write of the plan that follows from the user's subscriptions.

        It fails if another event was applied since this record was read. Only the revision is written when nothing
        else changes.
        """
        actions: list[Action] = [User.stripe_revision.set(self.stripe_revision + 1)]
        if plan_id is not None and plan_id != self.plan_id:
            actions.append(User.plan_id.set(plan_id))
        if customer_id != self.stripe_customer_id:
            actions.append(User.stripe_customer_id.set(customer_id))
        if lapsed != self.plan_lapsed:
            actions.append(User.plan_lapsed.set(lapsed))
        if len(actions) > 1:
            actions += [User.plan_changed_at.set(at), User.updated_at.set(at)]
        transaction.update(self, actions=actions, condition=self._no_event_applied_since())

    def begin_checkout(self, customer_id: str, *, until: datetime) -> None:
        """Record, before a Checkout session is opened, whose it is and when it expires; this becomes the record.

        The customer is linked to the user, so that Stripe's events about it are this user's. Raise RecordChanged where
        it is another user's, or an event was applied since this record was read.
        """
        now = utc_now()
        actions: list[Action] = [
            User.stripe_customer_id.set(customer_id),
            User.checkouts_open_until.set(until),
            User.updated_at.set(now),
        ]

        def write(transaction: TransactWrite) -> None:
            StripeCustomer.link(transaction, customer_id, user_id=self.id, at=now)
            transaction.update(self, actions=actions, condition=self._no_event_applied_since())

        transact(write)
        self.refresh(consistent_read=True)

    def touch(self) -> None:
        """Set `updated_at`, after a change that this record does not show."""
        self._change(condition=User.id.exists())

    def _no_event_applied_since(self) -> Condition:
        """Return the condition that no event of Stripe's was applied since this record was read."""
        seen: Condition = User.stripe_revision == self.stripe_revision
        if self.stripe_revision == 0:
            # Records from before events were applied have no revision.
            seen = User.id.exists() & (User.stripe_revision.does_not_exist() | seen)
        return seen

    def _change(self, *actions: Action, condition: Condition) -> bool:
        return self.update_if(condition, [*actions, User.updated_at.set(utc_now())])


def upsert_user(account: Account) -> User:
    """Return the user's record: created with the default plan if there is none, otherwise synchronised with Cognito.

    Repeatable, also at the same moment: the record is created once.
    """
    user = User.find(account.id)
    return create_user(account) if user is None else sync_from_cognito(user, account)


def create_user(account: Account) -> User:
    """Return the new record of an account, with the default plan; the existing record, if there is one by now."""
    now = utc_now()
    plan_id = default_plan_id()
    created_at = account.created_at or now
    user = User(
        account.id,
        created_key=created_key(to_iso(created_at), account.id),
        username=account.username or None,
        status=account.status,
        active=account.enabled,
        email=account.email,
        email_verified=account.email_verified,
        first_name=account.first_name,
        last_name=account.last_name,
        plan_id=plan_id,
        plan_changed_at=now if plan_id is not None else None,
        created_at=created_at,
        updated_at=now,
    )
    if user.save_if_new():
        logger.info("user_created", user_id=user.id, subscription_id=plan_id)
    return user


def sync_from_cognito(user: User, account: Account) -> User:
    """Return the record with Cognito's fields as the account has them.

    Read the record before the account. A record that was written since it was read stays as it is.
    """
    actions: list[Action] = []
    if account.username and user.username != account.username:
        actions.append(User.username.set(account.username))
    if user.status != account.status:
        actions.append(User.status.set(account.status))
    if user.email != account.email:
        actions.append(User.email.set(account.email))
    if user.email_verified != account.email_verified:
        actions.append(User.email_verified.set(account.email_verified))
    if user.plan_id is None and (plan_id := default_plan_id()) is not None:
        # Created while no plan was the default.
        actions += [User.plan_id.set(plan_id), User.plan_changed_at.set(utc_now())]
    if not actions:
        return user
    if user._change(*actions, condition=User.updated_at == user.updated_at):
        logger.info("user_mended", user_id=user.id, fields=len(actions), status=user.status, active=user.active)
    return user


def default_plan_id() -> str | None:
    """Return the id of the plan that new users get, or None while no plan is the default."""
    claim = UniqueName.find(UniqueName.claim_key(NameKind.DEFAULT_PLAN))
    if claim is None:
        logger.warning("default_plan_missing")
        return None
    return claim.owner_id
