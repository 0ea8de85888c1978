"""Every notice as data: its values, one class for each kind, and its channels. Holds no text and sends nothing.

To add a notice: add its class here, its entry in DELIVERY_RULES, and its text in `templates`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from functools import cache  # noqa: TID251 - the classes are the same for every process
from types import MappingProxyType
from typing import Annotated, Any, ClassVar, TypeAlias

from pydantic import AliasChoices, Field, TypeAdapter

from shared.notifications.report_values import PeriodFigures, StrategyWeek


class NoticeKind(StrEnum):
    """What a notice is about; stored, so never renamed."""

    POSITION_OPENED = "POSITION_OPENED"
    POSITION_REDUCED = "POSITION_REDUCED"
    POSITION_CLOSED = "POSITION_CLOSED"
    ENTRY_REFUSED = "ENTRY_REFUSED"
    KEY_REFUSED = "KEY_REFUSED"
    NEAR_MAXIMUM = "NEAR_MAXIMUM"
    USER_NEAR_MAXIMUM = "USER_NEAR_MAXIMUM"
    """The same, for the admins."""
    ABOVE_MAXIMUM = "ABOVE_MAXIMUM"
    FOLLOWERS_LEFT_OUT = "FOLLOWERS_LEFT_OUT"
    """For the admins."""
    PLAN_CHANGED = "PLAN_CHANGED"
    PLAN_LAPSED = "PLAN_LAPSED"
    PLAN_RESTORED = "PLAN_RESTORED"
    PAYMENT_FAILED = "PAYMENT_FAILED"
    USER_PAYS_TWICE = "USER_PAYS_TWICE"
    """A user has two paid subscriptions, for the admins."""
    CLOSED_USER_PAYS = "CLOSED_USER_PAYS"
    """A subscription is paid for a closed account, for the admins."""
    WEEKLY_REPORT = "WEEKLY_REPORT"
    MONTHLY_REPORT = "MONTHLY_REPORT"
    STRATEGIES_REPORT = "STRATEGIES_REPORT"
    """The weekly letter about all strategies, for the admins."""
    REPORT_KEY_REFUSED = "REPORT_KEY_REFUSED"
    """The exchange refuses a strategy's report key, for the admins."""
    TELEGRAM_LINKED = "TELEGRAM_LINKED"
    TELEGRAM_UNLINKED = "TELEGRAM_UNLINKED"
    ACCOUNT_CHANGED = "ACCOUNT_CHANGED"
    """What users have changed themselves: recorded for their list of events, and not sent."""
    TELEGRAM_REPLY = "TELEGRAM_REPLY"
    """The bot's answer to a command, for the chat that it came from."""


class EmailPolicy(StrEnum):
    """When a notice is sent by e-mail."""

    ALWAYS = "ALWAYS"
    FALLBACK = "FALLBACK"
    """Only where Telegram could not deliver it, or no chat is linked."""
    NEVER = "NEVER"


@dataclass(frozen=True, slots=True)
class DeliveryRule:
    """The channels of a kind of notice."""

    email: EmailPolicy
    switch: str | None = None
    """The admins' setting (an attribute of NotificationSetting) that must be on; None: always sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Trade:
    """A trade as its notices name it."""

    strategy_name: str
    key_name: str
    symbol: str
    """`BTC/USDT`: amounts are in the first, prices and money in the second."""
    long: bool
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionOpened(_Trade):
    """A position is open, with its stop placed."""

    kind: ClassVar[NoticeKind] = NoticeKind.POSITION_OPENED
    amount: Decimal | None
    ordered_amount: Decimal | None = None
    """Of an entry that was filled in part: what was ordered."""
    entry_price: Decimal | None
    """None while the exchange has not reported it."""
    stop: Decimal
    take_profits: tuple[Decimal, ...] = ()
    callback_rate_pct: Decimal | None = None
    """The trailing stop's callback rate, where there is one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionReduced(_Trade):
    """The strategy has left a part of its position, and the follower the same share."""

    kind: ClassVar[NoticeKind] = NoticeKind.POSITION_REDUCED
    amount: Decimal | None
    """What was entered."""
    amount_left: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionClosed(_Trade):
    """A position is closed and its result recorded."""

    kind: ClassVar[NoticeKind] = NoticeKind.POSITION_CLOSED
    amount: Decimal | None
    entry_price: Decimal | None
    exit_price: Decimal | None
    profit: Decimal | None
    """After fees, in the quote asset."""
    profit_pct: Decimal | None
    reason: str
    """Why, in plain words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryRefused(_Trade):
    """An alert opened nothing."""

    kind: ClassVar[NoticeKind] = NoticeKind.ENTRY_REFUSED
    reason: str
    """Why, and what the user may do about it, in plain words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRefused:
    """The exchange has begun to refuse the user's key."""

    kind: ClassVar[NoticeKind] = NoticeKind.KEY_REFUSED
    key_name: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class _BalanceAndMaximum:
    """A user's balance beside the plan's maximum."""

    plan_name: str
    balance_usd: Decimal
    max_balance_usd: Decimal
    unpriced: tuple[str, ...] = ()
    """The assets that the balance leaves out, because no market has a price for them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NearMaximum(_BalanceAndMaximum):
    """The user's balance comes near the plan's maximum."""

    kind: ClassVar[NoticeKind] = NoticeKind.NEAR_MAXIMUM


@dataclass(frozen=True, slots=True, kw_only=True)
class UserNearMaximum(_BalanceAndMaximum):
    """A user's balance comes near the plan's maximum."""

    kind: ClassVar[NoticeKind] = NoticeKind.USER_NEAR_MAXIMUM
    user_id: str
    user_name: str
    user_email: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowersLeftOut:
    """An alert has not reached every follower while it was fresh, because lanes had no weight."""

    kind: ClassVar[NoticeKind] = NoticeKind.FOLLOWERS_LEFT_OUT
    strategy_name: str
    symbol: str
    long: bool
    reached: int
    left_out: int
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AboveMaximum(_BalanceAndMaximum):
    """The user's balance is above the plan's maximum, which stops new entries."""

    kind: ClassVar[NoticeKind] = NoticeKind.ABOVE_MAXIMUM


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanChanged:
    """The user is on another plan."""

    kind: ClassVar[NoticeKind] = NoticeKind.PLAN_CHANGED
    plan_name: str
    previous_plan_name: str
    """Empty when there was none."""
    max_balance_usd: Decimal
    max_api_key: int
    strategy_automated: bool
    automation_ends: bool = False
    """The user has accounts that strategies traded, and the plan has no automation."""
    accounts_above_maximum: int = 0
    keys: int = 0
    """How many keys the user has, if more than the plan allows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanLapsed:
    """The plan is no longer paid for, which stops new entries."""

    kind: ClassVar[NoticeKind] = NoticeKind.PLAN_LAPSED
    plan_name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanRestored:
    """A lapsed plan is paid for again."""

    kind: ClassVar[NoticeKind] = NoticeKind.PLAN_RESTORED
    plan_name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentFailed:
    """A payment for the plan did not go through."""

    kind: ClassVar[NoticeKind] = NoticeKind.PAYMENT_FAILED
    plan_name: str
    """Of the subscription that was to be paid, which need not be the user's plan; empty when it is not known."""
    amount: Annotated[Decimal, Field(validation_alias=AliasChoices("amount", "amount_usd"))]
    """With every digit of its currency. Stored notices from before there were other currencies name it otherwise."""
    currency: str = "USD"
    begins: bool = False
    """True for the first payment: without it, the subscription does not begin."""
    next_attempt_at: datetime | None = None
    """None when there will be no further attempt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _PaidSubscriptions:
    """Paid subscriptions of a user, of which an admin has to end and refund some."""

    user_id: str
    user_email: str
    subscription_ids: tuple[str, ...]
    """At Stripe; the oldest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UserPaysTwice(_PaidSubscriptions):
    """A user has more than one paid subscription: an admin has to end and refund one."""

    kind: ClassVar[NoticeKind] = NoticeKind.USER_PAYS_TWICE


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosedUserPays(_PaidSubscriptions):
    """A user has closed the account and pays all the same: an admin has to end and refund every subscription."""

    kind: ClassVar[NoticeKind] = NoticeKind.CLOSED_USER_PAYS


@dataclass(frozen=True, slots=True, kw_only=True)
class WeeklyReport:
    """A week's performance. An image named `equity`, if there is one, is its equity curve."""

    kind: ClassVar[NoticeKind] = NoticeKind.WEEKLY_REPORT
    figures: PeriodFigures


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthlyReport:
    """A month's performance, with the same image."""

    kind: ClassVar[NoticeKind] = NoticeKind.MONTHLY_REPORT
    figures: PeriodFigures


@dataclass(frozen=True, slots=True, kw_only=True)
class StrategiesReport:
    """A week of the strategies: each leader's account beside the followers."""

    kind: ClassVar[NoticeKind] = NoticeKind.STRATEGIES_REPORT
    first_day: date
    last_day: date
    weeks: tuple[StrategyWeek, ...]
    """Those whose followers fell behind their leader most come first."""
    more: int
    """How many further strategies traded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportKeyRefused:
    """The exchange refuses a strategy's report key, so that its leader's performance is not reported."""

    kind: ClassVar[NoticeKind] = NoticeKind.REPORT_KEY_REFUSED
    strategy_id: str
    strategy_name: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class TelegramLinked:
    """A Telegram chat was linked; also sent by e-mail, in case somebody else linked it."""

    kind: ClassVar[NoticeKind] = NoticeKind.TELEGRAM_LINKED
    at: datetime


class UnlinkCause(StrEnum):
    """Why notices no longer go to a chat."""

    STOPPED = "STOPPED"
    """The user asked the bot to stop."""
    BLOCKED = "BLOCKED"
    """Telegram says that the bot was blocked, or that the chat is gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TelegramUnlinked:
    """Notices no longer go to the Telegram chat."""

    kind: ClassVar[NoticeKind] = NoticeKind.TELEGRAM_UNLINKED
    why: UnlinkCause


class AccountChange(StrEnum):
    """What a user has changed; stored, so never renamed."""

    PROFILE = "PROFILE"
    NOTIFICATION = "NOTIFICATION"
    TELEGRAM_UNLINKED = "TELEGRAM_UNLINKED"
    KEY_CONNECTED = "KEY_CONNECTED"
    KEY_CHANGED = "KEY_CHANGED"
    KEY_DELETED = "KEY_DELETED"
    FOLLOWING_BEGUN = "FOLLOWING_BEGUN"
    FOLLOWING_CHANGED = "FOLLOWING_CHANGED"
    FOLLOWING_ENDED = "FOLLOWING_ENDED"
    ACCOUNT_CLOSED = "ACCOUNT_CLOSED"


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountChanged:
    """A user has changed something of the account."""

    kind: ClassVar[NoticeKind] = NoticeKind.ACCOUNT_CHANGED
    what: AccountChange
    name: str
    """Of the key or strategy; the names of the settings."""
    at: datetime


class Reply(StrEnum):
    """What the bot answers; stored, so never renamed."""

    WELCOME = "WELCOME"
    """`/start` without a token."""
    LINK_REFUSED = "LINK_REFUSED"
    STOPPED = "STOPPED"
    STATUS_LINKED = "STATUS_LINKED"
    STATUS_PAUSED = "STATUS_PAUSED"
    """Linked, and new entries are stopped: disabled, or the plan has lapsed."""
    NOT_LINKED = "NOT_LINKED"
    HELP = "HELP"
    """To everything that is no command of the bot's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TelegramReply:
    """The bot's answer to a command."""

    kind: ClassVar[NoticeKind] = NoticeKind.TELEGRAM_REPLY
    reply: Reply


NoticeValues: TypeAlias = (
    PositionOpened
    | PositionReduced
    | PositionClosed
    | EntryRefused
    | KeyRefused
    | NearMaximum
    | UserNearMaximum
    | FollowersLeftOut
    | AboveMaximum
    | PlanChanged
    | PlanLapsed
    | PlanRestored
    | PaymentFailed
    | UserPaysTwice
    | ClosedUserPays
    | WeeklyReport
    | MonthlyReport
    | StrategiesReport
    | ReportKeyRefused
    | TelegramLinked
    | TelegramUnlinked
    | AccountChanged
    | TelegramReply
)

_CLASSES: tuple[type[NoticeValues], ...] = (
    PositionOpened,
    PositionReduced,
    PositionClosed,
    EntryRefused,
    KeyRefused,
    NearMaximum,
    UserNearMaximum,
    FollowersLeftOut,
    AboveMaximum,
    PlanChanged,
    PlanLapsed,
    PlanRestored,
    PaymentFailed,
    UserPaysTwice,
    ClosedUserPays,
    WeeklyReport,
    MonthlyReport,
    StrategiesReport,
    ReportKeyRefused,
    TelegramLinked,
    TelegramUnlinked,
    AccountChanged,
    TelegramReply,
)

CLASSES: Mapping[NoticeKind, type[NoticeValues]] = MappingProxyType({one.kind: one for one in _CLASSES})

DELIVERY_RULES: Mapping[NoticeKind, DeliveryRule] = MappingProxyType(
    {
        NoticeKind.POSITION_OPENED: DeliveryRule(EmailPolicy.FALLBACK),
        NoticeKind.POSITION_REDUCED: DeliveryRule(EmailPolicy.FALLBACK),
        NoticeKind.POSITION_CLOSED: DeliveryRule(EmailPolicy.FALLBACK),
        NoticeKind.ENTRY_REFUSED: DeliveryRule(EmailPolicy.FALLBACK),
        NoticeKind.KEY_REFUSED: DeliveryRule(EmailPolicy.ALWAYS),
        NoticeKind.NEAR_MAXIMUM: DeliveryRule(EmailPolicy.ALWAYS, switch="notify_user_reach_near_max_balance"),
        NoticeKind.USER_NEAR_MAXIMUM: DeliveryRule(
            EmailPolicy.ALWAYS, switch="notify_admin_user_reach_near_max_balance"
        ),
        NoticeKind.ABOVE_MAXIMUM: DeliveryRule(EmailPolicy.ALWAYS),
        NoticeKind.FOLLOWERS_LEFT_OUT: DeliveryRule(EmailPolicy.ALWAYS),
        NoticeKind.PLAN_CHANGED: DeliveryRule(EmailPolicy.ALWAYS),
        NoticeKind.PLAN_LAPSED: DeliveryRule(EmailPolicy.ALWAYS),
        NoticeKind.PLAN_RESTORED: DeliveryRule(EmailPolicy.ALWAYS),
        NoticeKind.PAYMENT_FAILED: DeliveryRule(EmailPolicy.ALWAYS),
        NoticeKind.USER_PAYS_TWICE: DeliveryRule(EmailPolicy.ALWAYS),
        NoticeKind.CLOSED_USER_PAYS: DeliveryRule(EmailPolicy.ALWAYS),
        NoticeKind.WEEKLY_REPORT: DeliveryRule(EmailPolicy.ALWAYS, switch="notify_weekly_report"),
        NoticeKind.MONTHLY_REPORT: DeliveryRule(EmailPolicy.ALWAYS, switch="notify_monthly_report"),
        NoticeKind.STRATEGIES_REPORT: DeliveryRule(EmailPolicy.ALWAYS, switch="notify_weekly_report"),
        NoticeKind.REPORT_KEY_REFUSED: DeliveryRule(EmailPolicy.ALWAYS),
        NoticeKind.TELEGRAM_LINKED: DeliveryRule(EmailPolicy.ALWAYS),
        NoticeKind.TELEGRAM_UNLINKED: DeliveryRule(EmailPolicy.ALWAYS),
        NoticeKind.ACCOUNT_CHANGED: DeliveryRule(EmailPolicy.NEVER),
        NoticeKind.TELEGRAM_REPLY: DeliveryRule(EmailPolicy.NEVER),
    }
)


TRADE_KINDS = frozenset(
    {
        NoticeKind.POSITION_OPENED,
        NoticeKind.POSITION_REDUCED,
        NoticeKind.POSITION_CLOSED,
        NoticeKind.ENTRY_REFUSED,
    }
)
"""Messages about each trade, which users may switch off."""


def to_json(values: NoticeValues) -> str:
    """Return the values as JSON text: exact decimals, ISO times."""
    return _adapter(values.kind).dump_json(values).decode()


def from_json(kind: NoticeKind, text: str) -> NoticeValues:
    """Return the values from `to_json`'s text; raise ValueError for any other text."""
    values: NoticeValues = _adapter(kind).validate_json(text)
    return values


@cache
def _adapter(kind: NoticeKind) -> TypeAdapter[Any]:
    return TypeAdapter(CLASSES[kind])
