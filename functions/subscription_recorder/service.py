"""Applies one Stripe event to its user. Touches no position, no order and no follower.

One transaction writes everything that an event changes, together with the notice that is due: a repeat then finds the
event decided, and at most queues the notice.
"""

from __future__ import annotations

from dataclasses import dataclass

from pynamodb.transactions import TransactWrite

from functions.subscription_recorder.plan_notices import (
    notify_of_closed_payer,
    notify_of_double_payment,
    notify_user,
    payment_failed,
    plan_gained,
    plan_lapsed,
)
from shared.billing.checkout import expire_open_sessions
from shared.billing.entitlement import (
    LIVING,
    NO_PAYMENT_PENDING,
    PAYING,
    entitlement_of,
    paid_twice,
    plans_of,
    supersedes,
)
from shared.billing.ownership import find_payer, is_ours
from shared.billing.plan_use import plan_use_of
from shared.clock import utc_now
from shared.errors import LockstepError, NotFound, RecordChanged
from shared.models.base import transact
from shared.models.plan import Plan
from shared.models.stripe_customer import StripeCustomer
from shared.models.stripe_event import EventType, Outcome, StripeEvent
from shared.models.stripe_subscription import StripeSubscription
from shared.models.user import User
from shared.notifications.notice_types import NoticeValues, to_json
from shared.observability import count_outcome, logger

_ATTEMPTS = 5


class CustomerUnknown(LockstepError):
    """The customer belongs to no known user, or two users claim it: the event waits for an operator."""


class PriceUnknown(LockstepError):
    """The prices of a paid subscription belong to no plan, or to several: the event waits for an operator."""


@dataclass(frozen=True, slots=True)
class _Change:
    """The plan that follows from a user's subscriptions, and the notice of the change."""

    plan_id: str | None
    lapsed: bool
    customer_id: str
    notice: NoticeValues | None = None


def apply_event(event_id: str) -> None:
    """Apply the event once and queue its notice; raise CustomerUnknown or PriceUnknown while it has to wait."""
    event = StripeEvent.find(event_id)
    if event is None:
        raise NotFound(f"event {event_id} is not stored")
    if event.applied_at is not None:
        return
    if event.outcome is Outcome.WAITING:
        event = _apply(event)
    notify_user(event)
    if event.outcome is Outcome.APPLIED and event.user_id is not None and event.type is not EventType.PAYMENT_FAILED:
        _prevent_unwanted_payments(event, event.user_id)
    event.mark_applied()
    count_outcome("stripe_event_settled", result=event.outcome.value)
    logger.info(
        "stripe_event_settled",
        event_id=event.id,
        type=event.type.value,
        outcome=event.outcome.value,
        user_id=event.user_id,
        notice=event.notice,
    )


def _prevent_unwanted_payments(event: StripeEvent, user_id: str) -> None:
    """Expire the Checkout sessions that were open when the user paid, and tell the admins what has to be refunded.

    That is what was paid twice, and what was paid for a closed account.

    Repeatable; raise ServiceUnavailable while Stripe cannot be reached, so that the message comes again.
    """
    user = User.find(user_id)
    subscriptions = list(StripeSubscription.query(user_id, consistent_read=True))
    if user is None or not any(one.status in LIVING for one in subscriptions):
        return
    open_until, customer_id = user.checkouts_open_until, user.stripe_customer_id
    if customer_id is not None and open_until is not None and open_until > utc_now():
        expired = expire_open_sessions(customer_id)
        logger.info("checkout_sessions_expired", user_id=user_id, sessions=expired)
    if user.closed_at is not None:
        paying = [one for one in subscriptions if one.status in PAYING]
        if paying:
            count_outcome("closed_user_pays")
            logger.warning(
                "closed_user_pays",
                user_id=user_id,
                stripe_subscription_ids=[one.stripe_subscription_id for one in paying],
            )
        notify_of_closed_payer(user, paying, at=event.created_at)
    elif paid := paid_twice(subscriptions):
        count_outcome("user_pays_twice")
        logger.warning(
            "user_pays_twice", user_id=user_id, stripe_subscription_ids=[one.stripe_subscription_id for one in paid]
        )
        notify_of_double_payment(user, paid, at=event.created_at)


def _apply(event: StripeEvent) -> StripeEvent:
    """Decide on the event, and return it as stored; raise RecordChanged when other workers win every attempt."""
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            if event.type is EventType.PAYMENT_FAILED:
                _apply_failed_payment(event)
            else:
                _apply_to_plan(event)
        except RecordChanged:
            if attempt == _ATTEMPTS:
                raise
        event.refresh(consistent_read=True)
        if event.outcome is not Outcome.WAITING:
            return event
    raise AssertionError("unreachable: a decision is written, or an error raised")


def _apply_to_plan(event: StripeEvent) -> None:
    """Store the subscription as the event shows it, and set the user's plan."""
    user = _user_of(event)
    if user is None:
        transact(lambda write: event.record_outcome(write, Outcome.NOT_OURS))
        return
    # Read after the user: an event that is applied meanwhile increments the user's revision, and this is repeated.
    known = {one.stripe_subscription_id: one for one in StripeSubscription.query(user.id, consistent_read=True)}
    shown = StripeSubscription.from_event(event, user_id=user.id)
    stored = known.get(shown.stripe_subscription_id)
    if stored is not None and not supersedes(shown, stored):
        transact(lambda write: event.record_outcome(write, Outcome.SUPERSEDED, user_id=user.id))
        return
    change = _change_of(user, event, [*(known | {shown.stripe_subscription_id: shown}).values()])
    now = utc_now()

    def write_all(write: TransactWrite) -> None:
        StripeCustomer.link(write, event.customer_id, user_id=user.id, at=now)
        write.save(shown)
        user.apply_subscriptions(
            write, plan_id=change.plan_id, lapsed=change.lapsed, customer_id=change.customer_id, at=now
        )
        event.record_outcome(write, Outcome.APPLIED, user_id=user.id, notice=_stored_notice(change.notice))

    transact(write_all)


def _user_of(event: StripeEvent) -> User | None:
    """Return the event's user, or None for an event of others; raise CustomerUnknown rather than guess.

    A customer's first event links it to the user in the subscription's metadata; that link never changes.
    """
    payer = find_payer(customer_id=event.customer_id, named_user_id=event.named_user_id)
    if not is_ours(payer, price_ids=event.price_ids, price_plan_ids=event.price_plan_ids):
        return None
    if payer.linked_user_id is None and event.named_user_id is None:
        raise CustomerUnknown(f"customer {event.customer_id} is tied to no user, and the subscription names none")
    if payer.linked_user_id is not None and event.named_user_id not in {None, payer.linked_user_id}:
        raise CustomerUnknown(f"customer {event.customer_id} is another user's than the subscription names")
    if payer.user is None:
        raise CustomerUnknown(f"customer {event.customer_id} is of a user that does not exist")
    return payer.user


def _change_of(user: User, event: StripeEvent, subscriptions: list[StripeSubscription]) -> _Change:
    """Return the change that follows from the subscriptions; raise PriceUnknown."""
    entitlement = entitlement_of(subscriptions)
    current = _plan(user.plan_id)
    if entitlement.subscription is None:
        ended = _only(plans_of(event, Plan.list_all()))
        # The plan stays in the record: it names the plan that lapsed, and that a payment restores.
        return _Change(
            user.plan_id,
            lapsed=entitlement.lapsed or user.plan_lapsed,
            customer_id=user.stripe_customer_id or event.customer_id,
            notice=plan_lapsed(ended or current) if entitlement.lapsed and not user.plan_lapsed else None,
        )
    plans = plans_of(entitlement.subscription, Plan.list_all())
    if len(plans) != 1:
        raise PriceUnknown(f"{len(plans)} plans have the price {', '.join(entitlement.subscription.price_ids)}")
    (plan,) = plans
    return _Change(
        plan.id,
        lapsed=False,
        customer_id=entitlement.subscription.customer_id,
        notice=plan_gained(plan, previous=current, lapsed=user.plan_lapsed, use=plan_use_of(user.id)),
    )


def _apply_failed_payment(event: StripeEvent) -> None:
    """Prepare the notice, unless the invoice has no subscription or is no longer due; the plan does not change here."""
    if event.stripe_subscription_id is None:
        transact(lambda write: event.record_outcome(write, Outcome.NOT_OURS))
        return
    user = _user_of(event)
    if user is None:
        transact(lambda write: event.record_outcome(write, Outcome.NOT_OURS))
        return
    stored = StripeSubscription.find(user.id, event.stripe_subscription_id)
    if stored is not None and stored.as_of > event.created_at and stored.status in NO_PAYMENT_PENDING:
        transact(lambda write: event.record_outcome(write, Outcome.SUPERSEDED, user_id=user.id))
        return
    # Not the user's plan, which another subscription may give.
    plans = plans_of(stored if stored is not None else event, Plan.list_all())
    if not plans and stored is None and event.named_user_id is None and event.price_ids:
        # Our customer owes for something else.
        transact(lambda write: event.record_outcome(write, Outcome.NOT_OURS, user_id=user.id))
        return
    notice = _stored_notice(payment_failed(event, _only(plans)))
    transact(lambda write: event.record_outcome(write, Outcome.APPLIED, user_id=user.id, notice=notice))


def _stored_notice(notice: NoticeValues | None) -> tuple[str, str] | None:
    return (notice.kind.value, to_json(notice)) if notice is not None else None


def _only(plans: list[Plan]) -> Plan | None:
    return plans[0] if len(plans) == 1 else None


def _plan(plan_id: str | None) -> Plan | None:
    return Plan.find(plan_id) if plan_id is not None else None
