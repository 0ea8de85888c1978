from __future__ import annotations

import io
import json
from decimal import Decimal
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from functions.subscription_recorder import plan_notices
from functions.subscription_recorder.app import lambda_handler
from shared.clock import to_iso
from shared.errors import RecordChanged
from shared.models.stripe_customer import StripeCustomer
from shared.models.stripe_event import EventType, Outcome, StripeEvent
from shared.models.stripe_subscription import StripeSubscription
from shared.models.user import User
from tests.lambda_context import FakeContext
from tests.unit.functions.subscription_recorder.recorder import (
    BASIC,
    BASIC_PRICE,
    CREATED,
    CUSTOMER,
    DEFAULT,
    DELETED,
    PAYMENT_FAILED,
    PRO,
    PRO_PRICE,
    UPDATED,
    Recorder,
    an_event,
)
from tests.unit.records import USER_ID, a_plan, a_user

TO_USER = f"user#{USER_ID}"


def outcome(event: StripeEvent) -> tuple[Outcome, bool]:
    """Return the event's outcome, and whether it is applied."""
    event.refresh(consistent_read=True)
    return event.outcome, event.applied_at is not None


def test_new_subscription_sets_the_plan_and_links_the_customer(recorder: Recorder) -> None:
    before = recorder.user()
    event = an_event(CREATED)
    assert recorder.take(event) == []
    user = recorder.user()
    assert recorder.plan_state() == (PRO, False, CUSTOMER)
    assert user.plan_changed_at == user.updated_at > before.updated_at
    tie = StripeCustomer.find(CUSTOMER)
    assert tie is not None
    assert tie.user_id == USER_ID
    assert outcome(event) == (Outcome.APPLIED, True)
    assert recorder.notices() == [
        (
            TO_USER,
            "PLAN_CHANGED",
            {
                "plan_name": "PRO",
                "previous_plan_name": "DEFAULT",
                "max_balance_usd": "15000",
                "max_api_key": 5,
                "strategy_automated": True,
                "automation_ends": False,
                "accounts_above_maximum": 0,
                "keys": 0,
            },
        )
    ]
    assert len(recorder.queues.sent_to(recorder.queues.notices)) == 1


def test_no_other_field_of_the_user_changes(recorder: Recorder) -> None:
    ours = {"subscription_id", "subscription_updated_at", "stripe_customer_id", "stripe_revision", "updated_at"}
    before = recorder.user().to_dynamodb_dict()
    recorder.take(an_event(CREATED))
    after = recorder.user().to_dynamodb_dict()
    assert {name for name in before | after if before.get(name) != after.get(name)} <= ours


def test_user_without_a_revision_is_updated(recorder: Recorder) -> None:
    recorder.user().update(actions=[User.stripe_revision.remove()])
    assert recorder.take(an_event(CREATED)) == []
    assert recorder.take(an_event(DELETED, seconds=9)) == []
    assert recorder.plan_state() == (PRO, True, CUSTOMER)


def test_changed_price_changes_the_plan(recorder: Recorder) -> None:
    recorder.take(an_event(CREATED), an_event(UPDATED, seconds=9, price_ids=[BASIC_PRICE]))
    assert recorder.plan_state() == (BASIC, False, CUSTOMER)
    assert recorder.notice_kinds() == ["PLAN_CHANGED", "PLAN_CHANGED"]


def test_end_of_a_subscription_lapses_the_plan_and_notifies_the_user(recorder: Recorder) -> None:
    recorder.take(an_event(CREATED), an_event(DELETED, seconds=9))
    assert recorder.plan_state() == (PRO, True, CUSTOMER)
    assert recorder.notices()[1:] == [(TO_USER, "PLAN_LAPSED", {"plan_name": "PRO"})]


def test_lapse_names_the_plan_of_the_subscription_that_ended(recorder: Recorder) -> None:
    # The event that gave the plan comes later.
    recorder.take(an_event(DELETED, seconds=9))
    assert recorder.notices() == [(TO_USER, "PLAN_LAPSED", {"plan_name": "PRO"})]


def test_past_due_keeps_the_plan_and_unpaid_lapses_it(recorder: Recorder) -> None:
    recorder.take(an_event(CREATED), an_event(seconds=5, status="past_due"))
    assert recorder.plan_state() == (PRO, False, CUSTOMER)
    assert recorder.notice_kinds() == ["PLAN_CHANGED"]
    recorder.take(an_event(seconds=9, status="unpaid"))
    assert recorder.plan_state() == (PRO, True, CUSTOMER)
    assert recorder.notice_kinds() == ["PLAN_CHANGED", "PLAN_LAPSED"]


def test_payment_after_a_lapse_restores_the_plan(recorder: Recorder) -> None:
    recorder.take(an_event(CREATED), an_event(seconds=5, status="unpaid"), an_event(seconds=9))
    assert recorder.plan_state() == (PRO, False, CUSTOMER)
    assert recorder.notices()[2:] == [(TO_USER, "PLAN_RESTORED", {"plan_name": "PRO"})]


def test_a_subscription_that_never_began_changes_no_plan(recorder: Recorder) -> None:
    recorder.take(an_event(CREATED, status="incomplete"), an_event(seconds=9, status="incomplete_expired"))
    assert recorder.plan_state() == (DEFAULT, False, CUSTOMER)
    assert recorder.notices() == []


def test_end_of_an_old_subscription_keeps_the_plan_of_the_new_one(recorder: Recorder) -> None:
    recorder.take(
        an_event(CREATED, price_ids=[BASIC_PRICE]),
        an_event(CREATED, seconds=5, stripe_subscription_id="sub_2"),
        an_event(DELETED, seconds=9, price_ids=[BASIC_PRICE]),
    )
    assert recorder.plan_state() == (PRO, False, CUSTOMER)
    assert sorted(recorder.notice_kinds()) == ["PLAN_CHANGED", "PLAN_CHANGED", "USER_PAYS_TWICE"]


def test_second_paid_subscription_is_told_to_the_admins_once(recorder: Recorder) -> None:
    recorder.take(
        an_event(CREATED, price_ids=[BASIC_PRICE]),
        an_event(CREATED, seconds=5, stripe_subscription_id="sub_2", status="incomplete"),
    )
    assert [recipient for recipient, _, _ in recorder.notices()] == [TO_USER]
    for seconds, subscription_id in ((6, "sub_2"), (7, "sub_1"), (8, "sub_2")):
        recorder.take(an_event(UPDATED, seconds=seconds, stripe_subscription_id=subscription_id))
    told = [values for recipient, _, values in recorder.notices() if recipient == "admins"]
    assert [values["subscription_ids"] for values in told] == [["sub_1", "sub_2"]]


def test_late_older_event_changes_nothing(recorder: Recorder) -> None:
    recorder.take(an_event(DELETED, seconds=9))
    before = recorder.user().to_dynamodb_dict()
    late = an_event(UPDATED, seconds=5)
    assert recorder.take(late) == []
    assert outcome(late) == (Outcome.SUPERSEDED, True)
    assert recorder.user().to_dynamodb_dict() == before
    assert recorder.notice_kinds() == ["PLAN_LAPSED"]


def test_order_of_delivery_does_not_change_the_result(recorder: Recorder) -> None:
    def story(number: int) -> list[StripeEvent]:
        names: dict[str, Any] = {
            "stripe_subscription_id": f"sub_{number}",
            "customer_id": f"cus_{number}",
            "named_user_id": None,
        }
        StripeCustomer(f"cus_{number}", user_id=f"user-{number}", created_at=a_user(f"user-{number}").created_at).save()
        return [
            an_event(CREATED, event_id=f"evt_{number}_d", status="incomplete", price_ids=[BASIC_PRICE], **names),
            an_event(event_id=f"evt_{number}_c", previous_status="incomplete", price_ids=[BASIC_PRICE], **names),
            an_event(event_id=f"evt_{number}_b", previous_price_ids=[BASIC_PRICE], **names),
            an_event(seconds=5, event_id=f"evt_{number}_a", status="past_due", **names),
        ]

    ends = set()
    for number, order in enumerate(permutations(range(4))):
        events = story(number)
        for place in order:
            assert recorder.take(events[place]) == []
        plan, lapsed, _ = recorder.plan_state(f"user-{number}")
        (stored,) = StripeSubscription.query(f"user-{number}")
        ends.add((plan, lapsed, stored.status))
    assert ends == {(PRO, False, "past_due")}


def test_repeated_message_changes_nothing(recorder: Recorder) -> None:
    event = an_event(CREATED)
    recorder.take(event)
    before = [recorder.user().to_dynamodb_dict(), *(one.to_dynamodb_dict() for one in StripeEvent.scan())]
    assert recorder.deliver(event.id, event.id) == []
    assert [recorder.user().to_dynamodb_dict(), *(one.to_dynamodb_dict() for one in StripeEvent.scan())] == before
    assert len(recorder.notices()) == 1


def test_repeat_after_a_crash_queues_the_notice(recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(*_: Any, **__: Any) -> None:
        raise ConnectionError

    event = an_event(CREATED)
    with monkeypatch.context() as patched:
        patched.setattr(plan_notices, "notify", crash)
        assert recorder.take(event) == [event.id]
    assert recorder.plan_state() == (PRO, False, CUSTOMER)
    assert recorder.notices() == []
    assert recorder.take(event) == []
    assert recorder.notice_kinds() == ["PLAN_CHANGED"]
    assert outcome(event) == (Outcome.APPLIED, True)


def test_user_that_changed_meanwhile_is_read_again(recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    find = User.find.__func__  # type: ignore[attr-defined]
    read = []

    def find_and_be_overtaken(cls: type[User], *args: Any, **kwargs: Any) -> Any:
        user = find(cls, *args, **kwargs)
        read.append(user)
        if len(read) == 1:
            User(USER_ID).update(actions=[User.stripe_revision.set(7)])
        return user

    with monkeypatch.context() as patched:
        patched.setattr(User, "find", classmethod(find_and_be_overtaken))
        assert recorder.take(an_event(CREATED)) == []
    assert recorder.plan_state() == (PRO, False, CUSTOMER)
    assert recorder.user().stripe_revision == 8


def test_event_that_loses_every_attempt_is_delivered_again(recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    def lose(*_: Any, **__: Any) -> None:
        raise RecordChanged("somebody else")

    event = an_event(CREATED)
    with monkeypatch.context() as patched:
        patched.setattr("functions.subscription_recorder.service.transact", lose)
        assert recorder.take(event) == [event.id]
    assert recorder.take(event) == []


# ------------------------------------------------------------------------------------------------- the event's user


def test_event_of_an_unknown_customer_changes_nothing_and_waits(recorder: Recorder, log: io.StringIO) -> None:
    before = recorder.user().to_dynamodb_dict()
    event = an_event(CREATED, named_user_id=None)
    assert recorder.take(event) == [event.id]
    assert outcome(event) == (Outcome.WAITING, False)
    assert recorder.user().to_dynamodb_dict() == before
    assert "CustomerUnknown" in log.getvalue()


@pytest.mark.parametrize("named", [None, "user-of-another-business"])
@pytest.mark.parametrize("type_", [CREATED, UPDATED, DELETED, PAYMENT_FAILED])
def test_event_of_somebody_elses_customer_is_ignored(
    recorder: Recorder, log: io.StringIO, type_: EventType, named: str | None
) -> None:
    event = an_event(type_, customer_id="cus_stranger", named_user_id=named, price_ids=["price_of_theirs"])
    assert recorder.take(event) == []
    assert outcome(event) == (Outcome.NOT_OURS, True)
    assert (recorder.plan_state(), recorder.notices()) == ((DEFAULT, False, None), [])
    assert StripeCustomer.find("cus_stranger") is None
    assert '"level":"ERROR"' not in log.getvalue()


def test_event_of_an_unknown_user_creates_none_and_waits(recorder: Recorder) -> None:
    event = an_event(CREATED, named_user_id="nobody")
    assert recorder.take(event) == [event.id]
    assert User.count() == 1
    a_user("nobody")
    assert recorder.take(event) == []
    assert recorder.plan_state("nobody") == (PRO, False, CUSTOMER)


def test_linked_customer_needs_no_user_in_the_metadata(recorder: Recorder) -> None:
    recorder.take(an_event(CREATED), an_event(DELETED, seconds=9, named_user_id=None))
    assert recorder.plan_state() == (PRO, True, CUSTOMER)


def test_a_customer_of_one_user_is_never_applied_to_another(recorder: Recorder) -> None:
    a_user("another", plan_id=DEFAULT)
    recorder.take(an_event(CREATED))
    stolen = an_event(seconds=9, named_user_id="another", price_ids=[BASIC_PRICE])
    assert recorder.take(stolen) == [stolen.id]
    assert recorder.plan_state() == (PRO, False, CUSTOMER)
    assert recorder.plan_state("another") == (DEFAULT, False, None)


def test_customers_differ_by_case(recorder: Recorder) -> None:
    a_user("another", plan_id=DEFAULT)
    recorder.take(an_event(CREATED))
    other = an_event(CREATED, customer_id=CUSTOMER.upper(), named_user_id="another", stripe_subscription_id="sub_2")
    assert recorder.take(other) == []
    assert recorder.plan_state("another") == (PRO, False, CUSTOMER.upper())
    assert recorder.plan_state() == (PRO, False, CUSTOMER)


def test_user_may_have_two_customers(recorder: Recorder) -> None:
    recorder.take(
        an_event(CREATED, price_ids=[BASIC_PRICE]),
        an_event(CREATED, seconds=5, customer_id="cus_2", stripe_subscription_id="sub_2"),
        an_event(DELETED, seconds=9, price_ids=[BASIC_PRICE]),
    )
    assert recorder.plan_state()[:2] == (PRO, False)


# -------------------------------------------------------------------------------------------- the plan of a price


def test_event_with_an_unknown_price_waits_until_a_plan_has_it(recorder: Recorder, log: io.StringIO) -> None:
    event = an_event(CREATED, price_ids=["price_new"])
    assert recorder.take(event) == [event.id]
    assert outcome(event) == (Outcome.WAITING, False)
    assert recorder.plan_state() == (DEFAULT, False, None)
    assert "PriceUnknown" in log.getvalue()
    a_plan("new", name="NEW", stripe_price_id="price_new")
    assert recorder.take(event) == []
    assert recorder.plan_state() == ("new", False, CUSTOMER)


def test_old_price_of_a_plan_still_gives_that_plan(recorder: Recorder) -> None:
    assert recorder.take(an_event(CREATED, price_ids=["price_old"], price_plan_ids=[PRO])) == []
    assert recorder.plan_state() == (PRO, False, CUSTOMER)


def test_a_lapse_needs_no_price(recorder: Recorder) -> None:
    assert recorder.take(an_event(CREATED), an_event(DELETED, seconds=9, price_ids=["price_gone"])) == []
    assert recorder.plan_state() == (PRO, True, CUSTOMER)


# --------------------------------------------------------------------------------------------- failed payments


def test_failed_payment_is_notified_and_changes_no_plan(recorder: Recorder) -> None:
    recorder.take(an_event(CREATED))
    before = recorder.user().to_dynamodb_dict()
    event = an_event(PAYMENT_FAILED, seconds=5)
    assert recorder.take(event) == []
    assert recorder.user().to_dynamodb_dict() == before
    assert recorder.notices()[1:] == [
        (
            TO_USER,
            "PAYMENT_FAILED",
            {"plan_name": "PRO", "amount": "40.00", "currency": "USD", "begins": False, "next_attempt_at": None},
        )
    ]
    assert outcome(event) == (Outcome.APPLIED, True)


def test_each_payment_attempt_is_notified_once(recorder: Recorder) -> None:
    recorder.take(an_event(CREATED))
    for attempt in (1, 1, 2):
        recorder.take(an_event(PAYMENT_FAILED, seconds=5, attempt_count=attempt))
    assert recorder.notice_kinds() == ["PLAN_CHANGED", "PAYMENT_FAILED", "PAYMENT_FAILED"]


@pytest.mark.parametrize(("status", "notified"), [("active", False), ("canceled", False), ("past_due", True)])
def test_late_failed_payment_is_notified_only_while_it_is_due(recorder: Recorder, status: str, notified: bool) -> None:
    recorder.take(an_event(CREATED), an_event(seconds=9, status=status))
    recorder.take(an_event(PAYMENT_FAILED, seconds=5))
    assert ("PAYMENT_FAILED" in recorder.notice_kinds()) is notified


def test_failed_payment_before_its_subscription_is_notified(recorder: Recorder) -> None:
    assert recorder.take(an_event(PAYMENT_FAILED)) == []
    assert [recipient for recipient, _, _ in recorder.notices()] == [TO_USER]


def test_failed_payment_names_the_plan_of_its_subscription_and_not_the_users(recorder: Recorder) -> None:
    recorder.take(
        an_event(CREATED, price_ids=[BASIC_PRICE]),
        an_event(CREATED, seconds=5, stripe_subscription_id="sub_2", status="past_due"),
        an_event(PAYMENT_FAILED, seconds=6, stripe_subscription_id="sub_2"),
    )
    assert recorder.plan_state() == (BASIC, False, CUSTOMER)
    assert recorder.notices()[-1][2]["plan_name"] == "PRO"


@pytest.mark.parametrize("created_first", [True, False])
def test_first_payment_of_a_subscription_that_never_began_leaves_the_present_plan(
    recorder: Recorder, created_first: bool
) -> None:
    recorder.take(an_event(CREATED, price_ids=[BASIC_PRICE]))
    new = {"stripe_subscription_id": "sub_case07", "customer_id": "cus_case07"}
    events = [
        an_event(CREATED, seconds=5, status="incomplete", **new),
        an_event(
            PAYMENT_FAILED,
            seconds=5,
            amount=Decimal("123.00"),
            billing_reason="subscription_create",
            price_ids=[PRO_PRICE],
            **new,
        ),
    ]
    assert recorder.take(*(events if created_first else reversed(events))) == []
    assert recorder.plan_state() == (BASIC, False, CUSTOMER)
    assert recorder.notices()[1:] == [
        (
            TO_USER,
            "PAYMENT_FAILED",
            {"plan_name": "PRO", "amount": "123.00", "currency": "USD", "begins": True, "next_attempt_at": None},
        )
    ]


def test_failed_payment_for_two_plans_at_once_is_told_without_a_name(recorder: Recorder) -> None:
    recorder.take(an_event(CREATED))
    both: dict[str, Any] = {
        "stripe_subscription_id": "sub_2",
        "price_ids": [BASIC_PRICE, PRO_PRICE],
        "named_user_id": None,
    }
    recorder.take(an_event(PAYMENT_FAILED, seconds=5, **both))
    assert (recorder.notice_kinds()[-1], recorder.notices()[-1][2]["plan_name"]) == ("PAYMENT_FAILED", "")


def test_failed_payment_for_something_else_that_our_customer_buys_is_not_told(recorder: Recorder) -> None:
    recorder.take(an_event(CREATED))
    other: dict[str, Any] = {
        "stripe_subscription_id": "sub_of_others",
        "price_ids": ["price_of_others"],
        "named_user_id": None,
    }
    event = an_event(PAYMENT_FAILED, seconds=5, **other)
    assert recorder.take(event) == []
    assert outcome(event) == (Outcome.NOT_OURS, True)
    assert recorder.notice_kinds() == ["PLAN_CHANGED"]


def test_failed_payment_of_an_unknown_price_names_no_plan(recorder: Recorder) -> None:
    recorder.take(an_event(CREATED))
    recorder.take(an_event(PAYMENT_FAILED, seconds=5, stripe_subscription_id="sub_2", price_ids=["price_unknown"]))
    assert recorder.notices()[-1][2]["plan_name"] == ""


@pytest.mark.parametrize(
    ("amount", "currency", "told"),
    [("49", "EUR", ("49.00", "EUR")), ("4900", "JPY", ("4900", "JPY")), ("4.9", "KWD", ("4.900", "KWD"))],
)
def test_failed_payment_is_told_in_its_currency(
    recorder: Recorder, amount: str, currency: str, told: tuple[str, str]
) -> None:
    recorder.take(an_event(CREATED), an_event(PAYMENT_FAILED, seconds=5, amount=Decimal(amount), currency=currency))
    values = recorder.notices()[-1][2]
    assert (values["amount"], values["currency"]) == told


def test_failed_payment_that_was_stored_without_a_currency_is_in_dollars(recorder: Recorder) -> None:
    recorder.take(an_event(CREATED), an_event(PAYMENT_FAILED, seconds=5, currency=None))
    assert recorder.notices()[-1][2]["currency"] == "USD"


def test_invoice_without_a_subscription_is_ignored(recorder: Recorder) -> None:
    event = an_event(PAYMENT_FAILED, stripe_subscription_id=None, named_user_id=None)
    assert recorder.take(event) == []
    assert outcome(event) == (Outcome.NOT_OURS, True)
    assert recorder.notices() == []


# ------------------------------------------------------------------------------------------------- the messages


def sample(name: str) -> dict[str, Any]:
    event: dict[str, Any] = json.loads((Path("events/subscription_recorder") / f"{name}.json").read_text())
    return event


@pytest.mark.parametrize(("name", "failures"), [("event", 0), ("event_twice", 0), ("malformed", 1)])
def test_sample_events(recorder: Recorder, name: str, failures: int) -> None:
    an_event(CREATED, event_id="evt_1Q0created").store_once()
    answer = lambda_handler(sample(name), FakeContext())
    assert len(answer["batchItemFailures"]) == failures
    assert recorder.plan_state()[0] == (DEFAULT if failures else PRO)


def test_an_event_that_is_not_stored_fails_its_message(recorder: Recorder) -> None:
    assert recorder.deliver("evt_unknown") == ["evt_unknown"]


def test_event_that_waits_does_not_delay_another_customer(recorder: Recorder) -> None:
    unknown = an_event(CREATED, customer_id="cus_unknown", named_user_id=None)
    assert recorder.take(unknown, an_event(CREATED)) == [unknown.id]
    assert recorder.plan_state() == (PRO, False, CUSTOMER)


def test_subscription_time_changes_only_with_the_plan(recorder: Recorder) -> None:
    recorder.take(an_event(CREATED))
    first = recorder.user().plan_changed_at
    recorder.take(an_event(seconds=5))
    assert to_iso(recorder.user().plan_changed_at or recorder.user().created_at) == to_iso(
        first or recorder.user().updated_at
    )
