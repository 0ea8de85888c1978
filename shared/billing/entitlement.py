"""Decides which of two events is newer, and which plan a user's subscriptions entitle to. Pure: no I/O, no clock.

Stripe's statuses mean:

- `active`, `trialing`: the user has the plan.
- `past_due`: the user still has it. A payment failed and Stripe tries again: its retry schedule is the grace period,
  which ends with `unpaid` or `canceled`.
- `unpaid`, `canceled`, `paused`: the plan has lapsed, unless another subscription entitles to one.
- A pause of the collection (`pause_collection`) leaves the status as it is, and so the plan.
- `incomplete`, `incomplete_expired`: the subscription never began, so the plan does not change. The same goes for a
  status that is not listed here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from shared.models.plan import Plan
from shared.models.stripe_event import EventType, StripeEvent
from shared.models.stripe_subscription import StripeSubscription

PAID: Final = frozenset({"active", "trialing"})
GRACE: Final = frozenset({"past_due"})
PAYING: Final = PAID | GRACE
LAPSED: Final = frozenset({"unpaid", "canceled", "paused"})
LIVING: Final = PAYING | {"unpaid", "paused"}
"""Statuses of a subscription that has begun and not ended: it is changed, paid and ended in Stripe's portal."""
NO_PAYMENT_PENDING: Final = frozenset({"active", "trialing", "canceled", "paused", "incomplete_expired"})
"""Statuses in which Stripe tries to collect no payment."""

_RANKS = {
    EventType.SUBSCRIPTION_CREATED: 0,
    EventType.SUBSCRIPTION_UPDATED: 1,
    EventType.SUBSCRIPTION_DELETED: 2,
}


class PlanStanding(StrEnum):
    """Whether a user's plan is paid for."""

    INCLUDED = "INCLUDED"
    """The user has it without a subscription."""
    PAID = "PAID"
    GRACE = "GRACE"
    """A payment failed, and Stripe tries again."""
    LAPSED = "LAPSED"


@dataclass(frozen=True, slots=True)
class Entitlement:
    """Which subscription gives a user their plan, if any does."""

    subscription: StripeSubscription | None = None
    """None when no subscription is paid or in its grace period."""
    lapsed: bool = False
    """Whether a subscription has ended, with no other in its place."""


def supersedes(new: StripeSubscription, stored: StripeSubscription) -> bool:
    """Return whether `new` is of a later event than `stored`; False for the same event.

    Stripe's times are whole seconds. Within one second, creation comes before updates, and updates before deletion. Of
    two updates, the later one names the other's values as its previous ones. Where neither does, or each does (a status
    changed and changed back), the event that reached us later wins. That time is stored with the event, so the order in
    which events are applied does not change the result.
    """
    if new.event_id == stored.event_id:
        return False
    new_key, stored_key = _order_key(new), _order_key(stored)
    if new_key != stored_key:
        return new_key > stored_key
    new_follows, stored_follows = _follows(new, stored), _follows(stored, new)
    if new_follows != stored_follows:
        return new_follows
    return (_received_at_s(new), new.event_id) > (_received_at_s(stored), stored.event_id)


def entitlement_of(subscriptions: Iterable[StripeSubscription]) -> Entitlement:
    """Return what the subscriptions entitle to: a paid one comes before one in grace, then the one that began last."""
    known = list(subscriptions)
    for statuses in (PAID, GRACE):
        entitling = [one for one in known if one.status in statuses]
        if entitling:
            return Entitlement(max(entitling, key=lambda one: (one.started_at, one.stripe_subscription_id)))
    return Entitlement(lapsed=any(one.status in LAPSED for one in known))


def paid_twice(subscriptions: Iterable[StripeSubscription]) -> list[StripeSubscription]:
    """Return the subscriptions that are paid or in their grace period, where there is more than one."""
    paying = [one for one in subscriptions if one.status in PAYING]
    return paying if len(paying) > 1 else []


def standing_of(subscriptions: Iterable[StripeSubscription], *, lapsed: bool) -> PlanStanding:
    """Return the standing of a user's plan; `lapsed` is the user's record of it."""
    if lapsed:
        return PlanStanding.LAPSED
    entitling = entitlement_of(subscriptions).subscription
    if entitling is None:
        return PlanStanding.INCLUDED
    return PlanStanding.PAID if entitling.status in PAID else PlanStanding.GRACE


def plans_of(priced: StripeSubscription | StripeEvent, plans: Sequence[Plan]) -> list[Plan]:
    """Return the plans that the prices of a subscription or of an event belong to; exactly one is expected.

    A price belongs to the plan that names it. Where several plans name it, or none does because the plan's price has
    changed since, it belongs to the plan in the price's metadata.
    """
    found: dict[str, Plan] = {}
    for price_id, made_for in zip(priced.price_ids, priced.price_plan_ids, strict=True):
        naming = [plan for plan in plans if plan.stripe_price_id == price_id]
        if len(naming) != 1:
            naming = [plan for plan in naming or plans if plan.id == made_for] or naming
        found |= {plan.id: plan for plan in naming}
    return list(found.values())


def _order_key(subscription: StripeSubscription) -> tuple[float, int]:
    return subscription.as_of.timestamp(), _RANKS[subscription.event_type]


def _received_at_s(subscription: StripeSubscription) -> float:
    # Records from before this time was stored have none, and count as older.
    return subscription.received_at.timestamp() if subscription.received_at is not None else 0.0


def _follows(later: StripeSubscription, earlier: StripeSubscription) -> bool:
    """Return whether the previous values in `later` are the values of `earlier`."""
    matches = []
    if later.previous_status is not None and later.previous_status != later.status:
        matches.append(later.previous_status == earlier.status)
    if later.previous_price_ids is not None and later.previous_price_ids != later.price_ids:
        matches.append(later.previous_price_ids == earlier.price_ids)
    return bool(matches) and all(matches)
