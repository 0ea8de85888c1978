"""The rules: which of two events is the newer, and what plan somebody's subscriptions come to. Pure: no I/O, no clock.

By Stripe's statuses:

- `active`, `trialing`: the plan is theirs.
- `past_due`: still theirs. A payment failed and Stripe tries again; its retry schedule is the grace. When it gives up
  it says `unpaid` or `canceled`.
- `unpaid`, `canceled`, `paused`: lapsed, unless another subscription entitles.
- `incomplete`, `incomplete_expired`: never begun, so nothing is gained by it and nothing lost. The same goes for a
  status that is not known here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from shared.models.plan import Plan
from shared.models.stripe_event import EventType
from shared.models.stripe_subscription import StripeSubscription

PAID: Final = frozenset({"active", "trialing"})
GRACE: Final = frozenset({"past_due"})
LAPSED: Final = frozenset({"unpaid", "canceled", "paused"})
SETTLED: Final = frozenset({"active", "trialing", "canceled", "paused", "incomplete_expired"})
"""No payment is being waited for."""

_RANKS = {
    EventType.SUBSCRIPTION_CREATED: 0,
    EventType.SUBSCRIPTION_UPDATED: 1,
    EventType.SUBSCRIPTION_DELETED: 2,
}


@dataclass(frozen=True, slots=True)
class Standing:
    """What a user's subscriptions come to."""

    entitling: StripeSubscription | None = None
    """The one whose plan the user has; None when they have none by Stripe."""
    lapsed: bool = False
    """Whether they had one, which is over."""


def supersedes(new: StripeSubscription, kept: StripeSubscription) -> bool:
    """Tell whether `new` shows a subscription as it was after `kept`; the same event does not.

    Stripe's times are whole seconds. Within one, creation comes before updates and these before the deletion; of two
    updates the one comes later that says to have changed what the other shows. Where neither says so, or each does
    (a status changed and changed back), the one that reached us later wins, which is kept with the event: in whatever
    order they are applied, all end with the same.
    """
    if new.event_id == kept.event_id:
        return False
    new_place, kept_place = _place(new), _place(kept)
    if new_place != kept_place:
        return new_place > kept_place
    continues, continued = _continues(new, kept), _continues(kept, new)
    if continues != continued:
        return continues
    return (_reached_us(new), new.event_id) > (_reached_us(kept), kept.event_id)


def stand(subscriptions: Iterable[StripeSubscription]) -> Standing:
    """Return what a user's subscriptions come to: a paid one before one in grace, then the one that began last."""
    known = list(subscriptions)
    for statuses in (PAID, GRACE):
        entitling = [one for one in known if one.status in statuses]
        if entitling:
            return Standing(max(entitling, key=lambda one: (one.started_at, one.stripe_subscription_id)))
    return Standing(lapsed=any(one.status in LAPSED for one in known))


def plans_of(subscription: StripeSubscription, plans: Sequence[Plan]) -> list[Plan]:
    """Return the plans that a subscription's prices stand for: one, if all is well.

    A price is the plan's that names it. One that several plans name, or none any more because the plan has got another
    price since, is that of the plan which its metadata say it was made for.
    """
    found: dict[str, Plan] = {}
    for price_id, made_for in zip(subscription.price_ids, subscription.price_plan_ids, strict=True):
        naming = [plan for plan in plans if plan.stripe_price_id == price_id]
        if len(naming) != 1:
            naming = [plan for plan in naming or plans if plan.id == made_for] or naming
        found |= {plan.id: plan for plan in naming}
    return list(found.values())


def _place(subscription: StripeSubscription) -> tuple[float, int]:
    return subscription.as_of.timestamp(), _RANKS[subscription.event_type]


def _reached_us(subscription: StripeSubscription) -> float:
    # A record from before this was kept has nothing to say, and gives way.
    return subscription.received_at.timestamp() if subscription.received_at is not None else 0.0


def _continues(later: StripeSubscription, earlier: StripeSubscription) -> bool:
    """Tell whether an update changed what another event shows, by what it says was there before."""
    says = []
    if later.previous_status is not None and later.previous_status != later.status:
        says.append(later.previous_status == earlier.status)
    if later.previous_price_ids is not None and later.previous_price_ids != later.price_ids:
        says.append(later.previous_price_ids == earlier.price_ids)
    return bool(says) and all(says)
