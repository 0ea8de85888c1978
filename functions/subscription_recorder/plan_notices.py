"""The notices about a user's plan, as data, and the one place that queues them. Writes no text."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final

from shared.billing.currencies import with_every_digit
from shared.billing.plan_use import PlanUse, excess_of
from shared.models.plan import Plan
from shared.models.stripe_event import EventType, StripeEvent
from shared.models.stripe_subscription import StripeSubscription
from shared.models.user import User
from shared.notifications.notice_types import (
    ClosedUserPays,
    NoticeKind,
    NoticeValues,
    PaymentFailed,
    PlanChanged,
    PlanLapsed,
    PlanRestored,
    UserPaysTwice,
    from_json,
)
from shared.notifications.notices import notify
from shared.notifications.recipients import ADMINS, to_user

_FIRST_INVOICE: Final = "subscription_create"
"""Stripe's billing reason of a subscription's first invoice."""


def plan_gained(plan: Plan, *, previous: Plan | None, lapsed: bool, use: PlanUse) -> NoticeValues | None:
    """Return the notice for a user who has gained `plan`, or whose lapsed plan is paid for again, or None.

    It says what the plan does not carry of the user's present `use`.
    """
    if previous is None or plan.id != previous.id:
        excess = excess_of(plan, use)
        return PlanChanged(
            plan_name=plan.name,
            previous_plan_name=previous.name if previous is not None else "",
            max_balance_usd=Decimal(plan.max_balance_usd),
            max_api_key=plan.max_api_key,
            strategy_automated=plan.strategy_automated,
            automation_ends=excess.without_automation,
            accounts_above_maximum=excess.accounts_above_maximum,
            keys=excess.keys,
        )
    return PlanRestored(plan_name=plan.name) if lapsed else None


def plan_lapsed(plan: Plan | None) -> NoticeValues:
    """Return the notice for a user whose plan is no longer paid for."""
    return PlanLapsed(plan_name=_name_of(plan))


def payment_failed(event: StripeEvent, plan: Plan | None) -> NoticeValues:
    """Return the notice of a failed payment for a plan; the plan is None where the event does not tell it."""
    currency = event.currency or "USD"
    return PaymentFailed(
        plan_name=_name_of(plan),
        amount=with_every_digit(event.amount if event.amount is not None else Decimal(0), currency),
        currency=currency,
        begins=event.billing_reason == _FIRST_INVOICE,
        next_attempt_at=event.next_attempt_at,
    )


def notify_user(event: StripeEvent) -> None:
    """Queue the notice that is stored with the event; repeatable, it is sent once."""
    if event.notice is None or event.notice_values is None or event.user_id is None:
        return
    values = from_json(NoticeKind(event.notice), event.notice_values)
    notify(values, to=to_user(event.user_id), cause=_cause_of(event), at=event.created_at)


def notify_of_double_payment(user: User, subscriptions: Sequence[StripeSubscription], *, at: datetime) -> None:
    """Tell the admins of each paid subscription of a user beyond the oldest; repeatable, each is told once."""
    oldest_first = _oldest_first(subscriptions)
    for number, extra in enumerate(oldest_first[1:], start=2):
        values = UserPaysTwice(
            user_id=user.id,
            user_email=user.email,
            subscription_ids=tuple(one.stripe_subscription_id for one in oldest_first[:number]),
        )
        notify(values, to=ADMINS, cause=extra.stripe_subscription_id, at=at)


def notify_of_closed_payer(user: User, subscriptions: Sequence[StripeSubscription], *, at: datetime) -> None:
    """Tell the admins of each paid subscription of a user whose account is closed; repeatable, each is told once."""
    for paid in _oldest_first(subscriptions):
        values = ClosedUserPays(user_id=user.id, user_email=user.email, subscription_ids=(paid.stripe_subscription_id,))
        notify(values, to=ADMINS, cause=paid.stripe_subscription_id, at=at)


def _oldest_first(subscriptions: Sequence[StripeSubscription]) -> list[StripeSubscription]:
    return sorted(subscriptions, key=lambda one: (one.started_at, one.stripe_subscription_id))


def _cause_of(event: StripeEvent) -> str:
    # Stripe may make two events of one attempt to collect; a plan changes once, whichever event made it.
    if event.type is EventType.PAYMENT_FAILED:
        return f"{event.invoice_id} attempt {event.attempt_count}"
    return event.id


def _name_of(plan: Plan | None) -> str:
    return plan.name if plan is not None else ""
