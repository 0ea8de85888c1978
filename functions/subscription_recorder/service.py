"""Applies one of Stripe's events to the user whose it is. Touches no position, no order and no follower.

Everything that an event changes is written in one transaction, together with the notice that is due: whoever comes
again afterwards finds it done, and has the notice to send at most.
"""

from __future__ import annotations

from dataclasses import dataclass

from pynamodb.transactions import TransactWrite

from functions.subscription_recorder.notices import payment_failed, plan_gained, plan_lapsed, tell
from functions.subscription_recorder.standing import SETTLED, plans_of, stand, supersedes
from shared.clock import utc_now
from shared.errors import LockstepError, NotFound, RecordChanged
from shared.models.base import LISTED, transact
from shared.models.plan import Plan
from shared.models.stripe_customer import StripeCustomer
from shared.models.stripe_event import EventType, Outcome, StripeEvent
from shared.models.stripe_subscription import StripeSubscription
from shared.models.user import User
from shared.notifications.kinds import NoticeValues, to_json
from shared.observability import count_outcome, logger

_ATTEMPTS = 5


class CustomerUnknown(LockstepError):
    """A customer whom no user of ours is known to be, or whom two users claim: the event waits for an operator."""


class PriceUnknown(LockstepError):
    """A paid subscription whose prices stand for no plan, or for several: the event waits for an operator."""


@dataclass(frozen=True, slots=True)
class _Change:
    """What a user's subscriptions come to, and what there is to tell of it."""

    plan_id: str | None
    lapsed: bool
    customer_id: str
    notice: NoticeValues | None = None


def record_event(event_id: str) -> None:
    """Apply the event, once, and tell the user what there is to tell; raise what keeps it waiting."""
    event = StripeEvent.find(event_id)
    if event is None:
        raise NotFound(f"event {event_id} is not stored")
    if event.applied_at is not None:
        return
    if event.outcome is Outcome.WAITING:
        event = _applied(event)
    tell(event)
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


def _applied(event: StripeEvent) -> StripeEvent:
    """Return the event as it stands once it was decided on; raise RecordChanged while others keep being faster."""
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            if event.type is EventType.PAYMENT_FAILED:
                _note_failed_payment(event)
            else:
                _follow(event)
        except RecordChanged:
            if attempt == _ATTEMPTS:
                raise
        event.refresh(consistent_read=True)
        if event.outcome is not Outcome.WAITING:
            return event
    raise AssertionError("unreachable: a decision is written, or an error raised")


def _follow(event: StripeEvent) -> None:
    """Keep the subscription as the event shows it, and let the user's plan follow."""
    user = _user_of(event)
    # Read after the user: what is applied meanwhile moves the user's count, and this is done anew.
    known = {one.stripe_subscription_id: one for one in StripeSubscription.query(user.id, consistent_read=True)}
    told = StripeSubscription.as_told(event, user_id=user.id)
    kept = known.get(told.stripe_subscription_id)
    if kept is not None and not supersedes(told, kept):
        transact(lambda write: event.decide(write, Outcome.SUPERSEDED, user_id=user.id))
        return
    change = _change_of(user, event, [*(known | {told.stripe_subscription_id: told}).values()])
    now = utc_now()

    def write_all(write: TransactWrite) -> None:
        StripeCustomer.tie(write, event.customer_id, user_id=user.id, at=now)
        write.save(told)
        user.apply_subscriptions(
            write, plan_id=change.plan_id, lapsed=change.lapsed, customer_id=change.customer_id, at=now
        )
        event.decide(write, Outcome.APPLIED, user_id=user.id, notice=_kept(change.notice))

    transact(write_all)


def _user_of(event: StripeEvent) -> User:
    """Return the user whose the event is; raise CustomerUnknown rather than guess.

    A customer is tied to the user that the subscription's metadata name, the first time, and to nobody else later.
    """
    tie = StripeCustomer.find(event.customer_id)
    user_id = tie.user_id if tie is not None else event.named_user_id
    if user_id is None:
        raise CustomerUnknown(f"customer {event.customer_id} is tied to no user, and the subscription names none")
    if event.named_user_id not in {None, user_id}:
        raise CustomerUnknown(f"customer {event.customer_id} is another user's than the subscription names")
    user = User.find(user_id)
    if user is None:
        raise CustomerUnknown(f"customer {event.customer_id} is of a user that does not exist")
    return user


def _change_of(user: User, event: StripeEvent, subscriptions: list[StripeSubscription]) -> _Change:
    """Return what the subscriptions come to; raise PriceUnknown."""
    standing = stand(subscriptions)
    had = _plan(user.subscription_id)
    if standing.entitling is None:
        # The plan stays in the record: it is the one that lapsed, and the one that can be restored.
        return _Change(
            user.subscription_id,
            lapsed=standing.lapsed or user.plan_lapsed,
            customer_id=user.stripe_customer_id or event.customer_id,
            notice=plan_lapsed(had) if standing.lapsed and not user.plan_lapsed else None,
        )
    plans = plans_of(standing.entitling, _all_plans())
    if len(plans) != 1:
        raise PriceUnknown(f"{len(plans)} plans have the price {', '.join(standing.entitling.price_ids)}")
    (plan,) = plans
    return _Change(
        plan.id,
        lapsed=False,
        customer_id=standing.entitling.customer_id,
        notice=plan_gained(plan, previous=had, lapsed=user.plan_lapsed),
    )


def _note_failed_payment(event: StripeEvent) -> None:
    """Let the user know, unless it is no subscription's, or settled by now. What it means for the plan, others say."""
    if event.stripe_subscription_id is None:
        transact(lambda write: event.decide(write, Outcome.NOT_OURS))
        return
    user = _user_of(event)
    kept = StripeSubscription.find(user.id, event.stripe_subscription_id)
    if kept is not None and kept.as_of > event.created_at and kept.status in SETTLED:
        transact(lambda write: event.decide(write, Outcome.SUPERSEDED, user_id=user.id))
        return
    notice = _kept(payment_failed(event, _plan(user.subscription_id)))
    transact(lambda write: event.decide(write, Outcome.APPLIED, user_id=user.id, notice=notice))


def _kept(notice: NoticeValues | None) -> tuple[str, str] | None:
    return (notice.kind.value, to_json(notice)) if notice is not None else None


def _all_plans() -> list[Plan]:
    # A business has a handful of plans: the list is read in a request or two.
    plans = Plan.find_many([found.id for found in Plan.by_created.query(LISTED)], consistent=True)
    return list(plans.values())


def _plan(plan_id: str | None) -> Plan | None:
    return Plan.find(plan_id) if plan_id is not None else None
