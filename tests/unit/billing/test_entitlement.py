"""The rules alone: which of two events is newer, and which plan subscriptions entitle to."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.billing.entitlement import entitlement_of, plans_of, supersedes
from shared.models.plan import Plan
from shared.models.stripe_event import EventType
from shared.models.stripe_subscription import StripeSubscription
from tests.unit.functions.subscription_recorder.recorder import BEGAN, CREATED, DELETED, UPDATED, an_event
from tests.unit.records import USER_ID


def shown(type_: EventType = UPDATED, **values: Any) -> StripeSubscription:
    return StripeSubscription.from_event(an_event(type_, **values), user_id=USER_ID)


def newest(events: tuple[StripeSubscription, ...]) -> StripeSubscription:
    latest = events[0]
    for event in events[1:]:
        if supersedes(event, latest):
            latest = event
    return latest


def received(seconds: int) -> datetime:
    return BEGAN + timedelta(seconds=seconds)


def test_event_of_the_later_second_wins() -> None:
    assert supersedes(shown(seconds=1), shown(DELETED, seconds=0))
    assert not supersedes(shown(DELETED, seconds=0), shown(seconds=1))


def test_an_event_does_not_supersede_itself() -> None:
    assert not supersedes(shown(event_id="evt_1"), shown(event_id="evt_1"))


def test_within_a_second_creation_comes_first_and_deletion_last() -> None:
    events = (
        shown(CREATED, event_id="evt_3", status="incomplete"),
        shown(UPDATED, event_id="evt_2"),
        shown(DELETED, event_id="evt_1"),
    )
    assert {newest(order).event_id for order in permutations(events)} == {"evt_1"}


def test_of_two_updates_in_a_second_the_one_that_changed_the_other_wins() -> None:
    first = shown(event_id="evt_9", status="incomplete")
    second = shown(event_id="evt_1", status="active", previous_status="incomplete")
    assert supersedes(second, first)
    assert not supersedes(first, second)


def test_of_two_price_changes_in_a_second_the_one_that_changed_the_other_wins() -> None:
    first = shown(event_id="evt_9", price_ids=["price_basic"])
    second = shown(event_id="evt_1", price_ids=["price_pro"], previous_price_ids=["price_basic"])
    assert supersedes(second, first)
    assert not supersedes(first, second)


def test_without_previous_values_the_event_received_last_wins() -> None:
    events = tuple(shown(event_id=f"evt_{9 - number}", received_at=received(number)) for number in range(4))
    assert {newest(order).event_id for order in permutations(events)} == {"evt_6"}


def test_events_received_at_once_have_one_winner_in_any_order() -> None:
    events = tuple(shown(event_id=f"evt_{number}", received_at=received(0)) for number in range(4))
    assert {newest(order).event_id for order in permutations(events)} == {"evt_3"}


def test_status_that_changed_back_within_a_second_is_the_one_received_last() -> None:
    events = (
        shown(event_id="evt_9", status="active", previous_status="incomplete", received_at=received(1)),
        shown(event_id="evt_8", status="unpaid", previous_status="active", received_at=received(2)),
        shown(event_id="evt_7", status="active", previous_status="unpaid", received_at=received(3)),
    )
    assert {newest(order).event_id for order in permutations(events)} == {"evt_7"}


def test_record_without_a_received_time_counts_as_older() -> None:
    old, new = shown(event_id="evt_9"), shown(event_id="evt_1")
    old.received_at = None
    assert supersedes(new, old)
    assert not supersedes(old, new)


STATUSES = ["active", "trialing", "past_due", "unpaid", "canceled", "paused", "incomplete", "incomplete_expired"]


@given(
    first=st.tuples(st.sampled_from(STATUSES), st.sampled_from([None, *STATUSES])),
    second=st.tuples(st.sampled_from(STATUSES), st.sampled_from([None, *STATUSES])),
    seconds=st.integers(0, 1),
)
def test_of_two_events_exactly_one_is_newer(
    first: tuple[str, str | None], second: tuple[str, str | None], seconds: int
) -> None:
    one = shown(event_id="evt_1", status=first[0], previous_status=first[1])
    other = shown(event_id="evt_2", status=second[0], previous_status=second[1], seconds=seconds)
    assert supersedes(one, other) != supersedes(other, one)


@pytest.mark.parametrize(
    ("status", "entitles", "lapses"),
    [
        ("active", True, False),
        ("trialing", True, False),
        ("past_due", True, False),
        ("unpaid", False, True),
        ("canceled", False, True),
        ("paused", False, True),
        ("incomplete", False, False),
        ("incomplete_expired", False, False),
        ("something_new", False, False),
    ],
)
def test_status_entitles_lapses_or_changes_nothing(status: str, entitles: bool, lapses: bool) -> None:
    entitlement = entitlement_of([shown(status=status)])
    assert (entitlement.subscription is not None, entitlement.lapsed) == (entitles, lapses)


def test_user_without_subscriptions_has_not_lapsed() -> None:
    assert (entitlement_of([]).subscription, entitlement_of([]).lapsed) == (None, False)


def test_end_of_one_subscription_leaves_another() -> None:
    old = shown(DELETED, stripe_subscription_id="sub_1")
    new = shown(stripe_subscription_id="sub_2")
    assert entitlement_of([old, new]).subscription is new
    assert entitlement_of([new, old]).subscription is new


def test_newest_subscription_decides_and_paid_comes_before_grace() -> None:
    old = shown(stripe_subscription_id="sub_9")
    new = shown(stripe_subscription_id="sub_1", started_at=BEGAN + timedelta(days=1))
    assert entitlement_of([new, old]).subscription is new
    owed = shown(stripe_subscription_id="sub_1", started_at=BEGAN + timedelta(days=1), status="past_due")
    assert entitlement_of([owed, old]).subscription is old


PLANS = [
    Plan("basic", stripe_price_id="price_basic"),
    Plan("pro", stripe_price_id="price_pro"),
    Plan("shared-1", stripe_price_id="price_shared"),
    Plan("shared-2", stripe_price_id="price_shared"),
    Plan("default"),
]


@pytest.mark.parametrize(
    ("price_ids", "made_for", "plan_ids"),
    [
        (["price_pro"], [""], ["pro"]),
        (["price_pro"], ["basic"], ["pro"]),
        (["price_add_on", "price_pro"], ["", ""], ["pro"]),
        (["price_of_before"], ["pro"], ["pro"]),
        (["price_of_before"], ["a-plan-that-is-gone"], []),
        (["price_unknown"], [""], []),
        (["price_shared"], [""], ["shared-1", "shared-2"]),
        (["price_shared"], ["shared-2"], ["shared-2"]),
        (["price_shared"], ["pro"], ["shared-1", "shared-2"]),
        (["price_basic", "price_pro"], ["", ""], ["basic", "pro"]),
    ],
)
def test_plans_of_prices(price_ids: list[str], made_for: list[str], plan_ids: list[str]) -> None:
    subscription = shown(price_ids=price_ids, price_plan_ids=made_for)
    assert [plan.id for plan in plans_of(subscription, PLANS)] == plan_ids
