"""From a Checkout session on Stripe's page to the plan, with two tabs, lost answers and payments that meet."""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any
from uuid import uuid4

import pytest

from functions.subscription.checkout import NoSubscription, SubscriptionExists, open_checkout, open_portal
from functions.user.closing import AccountInUse, close_account
from local.stripe import PRO_PRICE, STANDARD_PRICE
from shared.billing.checkout import open_session
from shared.clock import utc_now
from shared.errors import AccessDenied, ServiceUnavailable
from shared.models.notice import Notice
from shared.models.plan import Plan
from shared.models.stripe_customer import StripeCustomer
from shared.models.stripe_subscription import StripeSubscription
from shared.models.user import User
from tests import builders
from tests.integration.stripe.billing import Billing, a_plan, a_user, plan_state, record
from tests.unit import records

AT_ONCE = 6


@pytest.fixture
def no_sign_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """Close accounts that have no sign-in: these users exist in our table alone."""
    monkeypatch.setattr("functions.user.closing.user_pool.find_account", lambda *_, **__: None)


@pytest.fixture
def plans(billing: Billing) -> dict[str, Plan]:
    """Return the only plans of these prices: the tables are shared with other tests."""
    for found in Plan.scan():
        if found.stripe_price_id in {STANDARD_PRICE, PRO_PRICE}:
            found.delete()
    return {"STANDARD": a_plan("STANDARD", STANDARD_PRICE), "PRO": a_plan("PRO", PRO_PRICE)}


def pay(url: str) -> dict[str, Any]:
    """Pay on Stripe's page, as the customer does, and return the session."""
    session: dict[str, Any] = send_form(url)["session"]
    return session


def send_form(url: str, **fields: str) -> dict[str, Any]:
    request = urllib.request.Request(  # noqa: S310 - our own server
        url, data=urllib.parse.urlencode(fields).encode(), headers={"Accept": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310
        found: dict[str, Any] = json.load(answer)
    return found


def is_payable(url: str) -> bool:
    with urllib.request.urlopen(url, timeout=20) as answer:  # noqa: S310 - our own server
        return "Pay and subscribe" in answer.read().decode()


def user_of(user_id: str) -> User:
    user = User.find(user_id)
    assert user is not None
    return user


def told_to_admins(user_id: str, kind: str = "USER_PAYS_TWICE") -> list[dict[str, Any]]:
    found = [Notice.get(notice.id) for notice in Notice.by_recipient.query("admins")]
    contents = [json.loads(notice.content) for notice in found if notice.kind == kind]
    return [content for content in contents if content["user_id"] == user_id]


def test_paid_checkout_gives_the_plan(billing: Billing, plans: dict[str, Plan]) -> None:
    user_id = a_user(plans["STANDARD"])
    url = open_checkout(user_of(user_id), plans["PRO"], request_key=None)
    assert plan_state(user_id) == (plans["STANDARD"].id, False)
    session = pay(url)
    assert session["success_url"].startswith("http://127.0.0.1:9/account?checkout=paid&session=")
    assert billing.record() == []
    assert plan_state(user_id) == (plans["PRO"].id, False)
    user = user_of(user_id)
    assert user.stripe_customer_id == session["customer"]
    link = StripeCustomer.find(str(user.stripe_customer_id))
    assert link is not None
    assert link.user_id == user_id


def test_living_subscription_refuses_a_checkout_also_before_its_event(billing: Billing, plans: dict[str, Plan]) -> None:
    user_id = a_user(plans["STANDARD"])
    pay(open_checkout(user_of(user_id), plans["PRO"], request_key=None))
    assert list(StripeSubscription.query(user_id)) == []
    with pytest.raises(SubscriptionExists):
        open_checkout(user_of(user_id), plans["STANDARD"], request_key=None)
    billing.record()
    with pytest.raises(SubscriptionExists):
        open_checkout(user_of(user_id), plans["STANDARD"], request_key=None)


@pytest.mark.parametrize(
    ("status", "refused"), [("past_due", True), ("unpaid", True), ("paused", True), ("incomplete", False)]
)
def test_subscription_that_has_not_ended_refuses_a_checkout(
    billing: Billing, plans: dict[str, Plan], status: str, refused: bool
) -> None:
    user_id = a_user(plans["STANDARD"])
    billing.subscribe(user_id, PRO_PRICE, status=status)
    assert billing.record() == []
    if refused:
        with pytest.raises(SubscriptionExists):
            open_checkout(user_of(user_id), plans["PRO"], request_key=None)
    else:
        assert open_checkout(user_of(user_id), plans["PRO"], request_key=None)


def test_user_whose_subscription_ended_subscribes_again_as_the_same_customer(
    billing: Billing, plans: dict[str, Plan]
) -> None:
    user_id = a_user(plans["STANDARD"])
    first = pay(open_checkout(user_of(user_id), plans["PRO"], request_key=None))
    portal = open_portal(user_of(user_id))
    send_form(portal, subscription=first["subscription"], action="cancel")
    assert billing.record() == []
    assert plan_state(user_id) == (plans["PRO"].id, True)
    second = pay(open_checkout(user_of(user_id), plans["STANDARD"], request_key=None))
    assert billing.record() == []
    assert second["customer"] == first["customer"]
    assert plan_state(user_id) == (plans["STANDARD"].id, False)
    assert told_to_admins(user_id) == []


def test_sessions_of_other_tabs_expire_with_the_payment(billing: Billing, plans: dict[str, Plan]) -> None:
    user_id = a_user(plans["STANDARD"])
    tabs = [open_checkout(user_of(user_id), plan, request_key=None) for plan in (*plans.values(), plans["PRO"])]
    assert len(set(tabs)) == 3
    pay(tabs[1])
    assert billing.record() == []
    assert [is_payable(url) for url in tabs] == [False, False, False]
    for url in (tabs[0], tabs[2]):
        with pytest.raises(urllib.error.HTTPError):
            pay(url)
    assert billing.record() == []
    assert len(list(StripeSubscription.query(user_id))) == 1
    assert told_to_admins(user_id) == []


def test_what_two_tabs_paid_at_once_is_told_to_the_admins_once(billing: Billing, plans: dict[str, Plan]) -> None:
    user_id = a_user(plans["STANDARD"])
    tabs = [open_checkout(user_of(user_id), plan, request_key=None) for plan in plans.values()]
    paid = [pay(url)["subscription"] for url in tabs]
    assert billing.record() == []
    (told,) = told_to_admins(user_id)
    assert sorted(told["subscription_ids"]) == sorted(paid)
    # Later events of either add nothing.
    billing.stripe("POST", f"subscriptions/{paid[0]}", {"metadata": {"user_id": user_id, "more": "1"}})
    assert billing.record() == []
    assert len(told_to_admins(user_id)) == 1


def test_event_waits_for_an_unreachable_stripe_with_the_plan_set(billing: Billing, plans: dict[str, Plan]) -> None:
    user_id = a_user(plans["STANDARD"])
    tabs = [open_checkout(user_of(user_id), plan, request_key=None) for plan in plans.values()]
    pay(tabs[1])
    queued = billing.queued()
    billing.fail_next(times=50)
    assert len(record(queued)) > 0
    assert plan_state(user_id) == (plans["PRO"].id, False)
    billing.fail_next(times=0)
    assert is_payable(tabs[0])
    assert record(queued) == []
    assert not is_payable(tabs[0])


def test_payment_between_the_check_and_the_session_leaves_no_open_session(
    billing: Billing, plans: dict[str, Plan], monkeypatch: pytest.MonkeyPatch
) -> None:
    user_id = a_user(plans["STANDARD"])
    first = open_checkout(user_of(user_id), plans["PRO"], request_key=None)
    opened: list[str] = []

    def pay_first_and_open(**values: Any) -> Any:
        pay(first)
        assert billing.record() == []
        session = open_session(**values)
        opened.append(session.url)
        return session

    monkeypatch.setattr("functions.subscription.checkout.checkout.open_session", pay_first_and_open)
    with pytest.raises(SubscriptionExists):
        open_checkout(user_of(user_id), plans["STANDARD"], request_key=None)
    assert [is_payable(url) for url in opened] == [False]


def test_event_applied_while_a_checkout_begins_is_seen(
    billing: Billing, plans: dict[str, Plan], monkeypatch: pytest.MonkeyPatch
) -> None:
    user_id = a_user(plans["STANDARD"])
    begin = User.begin_checkout

    def subscribe_then_begin(self: User, *arguments: Any, **values: Any) -> None:
        if not list(StripeSubscription.query(user_id)):
            billing.subscribe(user_id, PRO_PRICE)
            assert billing.record() == []
        begin(self, *arguments, **values)

    monkeypatch.setattr(User, "begin_checkout", subscribe_then_begin)
    with pytest.raises(SubscriptionExists):
        open_checkout(user_of(user_id), plans["STANDARD"], request_key=None)


def test_requests_at_once_create_one_customer(billing: Billing, plans: dict[str, Plan]) -> None:
    user_id = a_user(plans["STANDARD"])
    barrier = Barrier(AT_ONCE)

    def open_one(_: int) -> str:
        barrier.wait()
        return open_checkout(user_of(user_id), plans["PRO"], request_key=None)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        urls = list(pool.map(open_one, range(AT_ONCE)))
    customers = {pay(urls[0])["customer"], user_of(user_id).stripe_customer_id}
    assert len(customers) == 1
    assert billing.record() == []
    assert not any(map(is_payable, urls))


def test_repeat_with_a_key_gets_the_same_page_and_other_plans_their_own(
    billing: Billing, plans: dict[str, Plan]
) -> None:
    user_id, key = a_user(plans["STANDARD"]), str(uuid4())
    urls = [open_checkout(user_of(user_id), plans["PRO"], request_key=key) for _ in range(2)]
    assert len(set(urls)) == 1
    assert open_checkout(user_of(user_id), plans["STANDARD"], request_key=key) not in urls


def test_customer_deleted_at_stripe_is_replaced(billing: Billing, plans: dict[str, Plan]) -> None:
    user_id = a_user(plans["STANDARD"])
    open_checkout(user_of(user_id), plans["PRO"], request_key=None)
    before = str(user_of(user_id).stripe_customer_id)
    billing.delete_customer(before)
    with pytest.raises(NoSubscription):
        open_portal(user_of(user_id))
    pay(open_checkout(user_of(user_id), plans["PRO"], request_key=None))
    assert billing.record() == []
    assert user_of(user_id).stripe_customer_id not in {None, before}
    assert plan_state(user_id) == (plans["PRO"].id, False)


def test_user_without_a_customer_has_no_portal(billing: Billing, plans: dict[str, Plan]) -> None:
    with pytest.raises(NoSubscription):
        open_portal(user_of(a_user(plans["STANDARD"])))


@pytest.mark.parametrize(
    "request_of", [lambda user, plan: open_checkout(user, plan, request_key=None), lambda user, _: open_portal(user)]
)
def test_unreachable_stripe_is_service_unavailable(
    billing: Billing, plans: dict[str, Plan], request_of: Callable[[User, Plan], Any]
) -> None:
    user_id = a_user(plans["STANDARD"])
    open_checkout(user_of(user_id), plans["PRO"], request_key=None)
    billing.fail_next(times=10)
    with pytest.raises(ServiceUnavailable):
        request_of(user_of(user_id), plans["PRO"])
    billing.fail_next(times=0)


def test_downgrade_below_what_a_user_has_says_what_stops(billing: Billing, plans: dict[str, Plan]) -> None:
    small = plans["STANDARD"]
    small.update(actions=[Plan.max_api_key.set(1), Plan.max_balance_usd.set(1000)])
    user_id = a_user(plans["PRO"])
    for total in ("1000", "1000.01", "5000"):
        key = builders.saved(builders.exchange_key(user_id=user_id))
        records.a_balance(key.id, total, at=utc_now())
    subscription = pay(open_checkout(user_of(user_id), plans["PRO"], request_key=None))["subscription"]
    portal = open_portal(user_of(user_id))
    send_form(portal, subscription=subscription, action="change", price=STANDARD_PRICE)
    assert billing.record() == []
    assert plan_state(user_id) == (small.id, False)
    found = [Notice.get(notice.id) for notice in Notice.by_recipient.query(f"user#{user_id}")]
    (content,) = [json.loads(notice.content) for notice in found if notice.kind == "PLAN_CHANGED"]
    assert (content["accounts_above_maximum"], content["keys"], content["automation_ends"]) == (2, 3, False)


@pytest.mark.usefixtures("no_sign_in")
def test_closing_the_account_expires_the_open_pages(billing: Billing, plans: dict[str, Plan]) -> None:
    user_id = a_user(plans["STANDARD"])
    tabs = [open_checkout(user_of(user_id), plan, request_key=None) for plan in plans.values()]
    close_account(user_of(user_id))
    assert user_of(user_id).closed_at is not None
    assert [is_payable(url) for url in tabs] == [False, False]
    with pytest.raises(AccessDenied):
        open_checkout(user_of(user_id), plans["PRO"], request_key=None)


@pytest.mark.usefixtures("no_sign_in")
def test_page_paid_a_moment_ago_stands_against_closing(billing: Billing, plans: dict[str, Plan]) -> None:
    user_id = a_user(plans["STANDARD"])
    pay(open_checkout(user_of(user_id), plans["PRO"], request_key=None))
    assert list(StripeSubscription.query(user_id)) == []
    with pytest.raises(AccountInUse):
        close_account(user_of(user_id))
    user = user_of(user_id)
    assert user.active
    assert not user.closed_at
    assert billing.record() == []
    assert plan_state(user_id) == (plans["PRO"].id, False)


@pytest.mark.usefixtures("no_sign_in")
def test_unreachable_stripe_leaves_the_account_open(billing: Billing, plans: dict[str, Plan]) -> None:
    user_id = a_user(plans["STANDARD"])
    url = open_checkout(user_of(user_id), plans["PRO"], request_key=None)
    billing.fail_next(times=10)
    with pytest.raises(ServiceUnavailable):
        close_account(user_of(user_id))
    billing.fail_next(times=0)
    user = user_of(user_id)
    assert user.active
    assert not user.closed_at
    close_account(user)
    assert not is_payable(url)


@pytest.mark.usefixtures("no_sign_in")
def test_what_is_paid_for_a_closed_account_is_told_to_the_admins_once(
    billing: Billing, plans: dict[str, Plan], monkeypatch: pytest.MonkeyPatch
) -> None:
    user_id = a_user(plans["STANDARD"])
    url = open_checkout(user_of(user_id), plans["PRO"], request_key=None)
    with monkeypatch.context() as paid_in_between:
        paid_in_between.setattr("functions.user.closing.checkout.expire_open_sessions", lambda _: 0)
        close_account(user_of(user_id))
    paid = pay(url)["subscription"]
    assert billing.record() == []
    billing.stripe("POST", f"subscriptions/{paid}", {"metadata": {"user_id": user_id, "more": "1"}})
    assert billing.record() == []
    (told,) = told_to_admins(user_id, "CLOSED_USER_PAYS")
    assert told["subscription_ids"] == [paid]


@pytest.mark.usefixtures("no_sign_in")
def test_account_closed_while_a_page_is_being_opened_leaves_no_page(
    billing: Billing, plans: dict[str, Plan], monkeypatch: pytest.MonkeyPatch
) -> None:
    user_id = a_user(plans["STANDARD"])
    opened: list[str] = []

    def close_and_open(**values: Any) -> Any:
        close_account(user_of(user_id))
        session = open_session(**values)
        opened.append(session.url)
        return session

    monkeypatch.setattr("functions.subscription.checkout.checkout.open_session", close_and_open)
    with pytest.raises(AccessDenied):
        open_checkout(user_of(user_id), plans["PRO"], request_key=None)
    assert [is_payable(url) for url in opened] == [False]


def test_odd_name_and_address_do_not_keep_a_user_from_paying(billing: Billing, plans: dict[str, Plan]) -> None:
    user_id = a_user(plans["STANDARD"])
    user_of(user_id).update(
        actions=[User.first_name.set("J\u00fcrgen " * 200), User.email.set("j\u00fcrgen@ex\u00e4mple.com")]
    )
    pay(open_checkout(user_of(user_id), plans["PRO"], request_key=None))
    assert billing.record() == []
    assert plan_state(user_id) == (plans["PRO"].id, False)
