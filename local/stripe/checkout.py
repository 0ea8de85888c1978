"""The stand-in's Checkout sessions for subscriptions: opened by the API, paid on their page, or expired. Sends nothing.

As at Stripe, a session that is paid makes a subscription with the metadata of `subscription_data`; the session's own
metadata stay with the session.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any, Final

from local.stripe.account import Account
from local.stripe.customers import Customers
from local.stripe.lists import PAGING, page_of
from local.stripe.refusals import Refused, Resource, found, invalid, new_id, refuse_unknown, required
from local.stripe.subscriptions import Subscriptions, event

PAGE_PATH: Final = "/c/pay"
SESSION_ID_PLACE: Final = "{CHECKOUT_SESSION_ID}"
"""Stripe puts the session's id there in `success_url`."""

_DAY_S: Final = 24 * 3600
_SHORTEST_S: Final = 30 * 60
_CLOCKS_S: Final = 60
_FIELDS = {
    *("mode", "line_items", "success_url", "cancel_url", "customer", "customer_email", "client_reference_id"),
    *("metadata", "subscription_data", "expires_at", "locale", "allow_promotion_codes", "expand"),
}
_FILTERS = {"customer", "status", "subscription", "expand", *PAGING}


@dataclass(slots=True)
class CheckoutSessions:
    """The sessions of one account. Methods that change one return the events that follow, in Stripe's order."""

    account: Account
    customers: Customers
    subscriptions: Subscriptions
    kept: dict[str, Resource] = field(default_factory=dict)
    _subscription_metadata: dict[str, dict[str, str]] = field(default_factory=dict)
    _prices: dict[str, str] = field(default_factory=dict)

    def create(self, form: dict[str, Any], *, origin: str) -> Resource:
        """Open a session whose page is at `origin`; raise Refused."""
        refuse_unknown(form, _FIELDS)
        if required(form, "mode") != "subscription":
            raise invalid("The stand-in knows only mode=subscription.", "mode")
        price = self._price_of(form)
        success_url = required(form, "success_url")
        data = form.get("subscription_data") or {}
        refuse_unknown(data, {"metadata", "description"}, within="subscription_data")
        if "customer" in form and "customer_email" in form:
            raise invalid("You may only specify one of these parameters: customer, customer_email.", "customer")
        customer_id = self.customers.named(str(form["customer"]))["id"] if "customer" in form else None
        now = int(time.time())
        session_id = new_id("cs_test")
        session: Resource = {
            "id": session_id,
            "object": "checkout.session",
            "amount_subtotal": price["unit_amount"],
            "amount_total": price["unit_amount"],
            "cancel_url": form.get("cancel_url"),
            "client_reference_id": form.get("client_reference_id"),
            "created": now,
            "currency": price["currency"],
            "customer": customer_id,
            "customer_email": form.get("customer_email"),
            "expires_at": _expiry_of(form, now),
            "invoice": None,
            "livemode": False,
            "metadata": form.get("metadata", {}),
            "mode": "subscription",
            "payment_intent": None,
            "payment_method_types": ["card"],
            "payment_status": "unpaid",
            "status": "open",
            "subscription": None,
            "success_url": success_url,
            "ui_mode": "hosted",
            "url": f"{origin}{PAGE_PATH}/{session_id}",
        }
        self.kept[session_id] = session
        self._subscription_metadata[session_id] = dict(data.get("metadata", {}))
        self._prices[session_id] = price["id"]
        return session

    def find(self, session_id: str) -> Resource:
        """Return a session; raise Refused."""
        return found(self.kept, session_id, "checkout.session")

    def price(self, session_id: str) -> Resource:
        """Return the price that a session asks for."""
        return self.account.price(self._prices[session_id])

    def page(self, form: dict[str, Any]) -> Resource:
        """Return a page of the sessions with the customer, status and subscription of the request; raise Refused."""
        refuse_unknown(form, _FILTERS)
        wanted = {name: form[name] for name in ("customer", "status", "subscription") if name in form}
        matching = (one for one in self.kept.values() if all(one[name] == value for name, value in wanted.items()))
        return page_of(matching, form, url="/v1/checkout/sessions")

    def expire(self, session_id: str) -> tuple[Resource, list[Resource]]:
        """Expire an open session, and return it with the event; raise Refused for any other."""
        session = self.find(session_id)
        if session["status"] != "open":
            message = (
                'Only Checkout Sessions with a status in ["open"] can be expired. '
                f"This Checkout Session has a status of `{session['status']}`."
            )
            raise Refused(400, "invalid_request_error", message)
        return self._expired(session)

    def expire_overdue(self) -> list[Resource]:
        """Expire the sessions whose time is over, and return the events."""
        now = time.time()
        overdue = [one for one in self.kept.values() if one["status"] == "open" and one["expires_at"] <= now]
        return [made for session in overdue for made in self._expired(session)[1]]

    def pay(self, session_id: str) -> tuple[Resource, list[Resource]]:
        """Pay an open session, and return it with the events; raise Refused for any other."""
        session = self.find(session_id)
        if session["status"] != "open":
            raise Refused(400, "invalid_request_error", f"This Checkout Session has a status of `{session['status']}`.")
        customer_id = session["customer"] or self.customers.create({"email": session["customer_email"]})["id"]
        wanted = {
            "price": self._prices[session_id],
            "customer": customer_id,
            "metadata": self._subscription_metadata[session_id],
            "status": "incomplete",
        }
        # Stripe creates the subscription before the payment, which makes it active.
        created = self.subscriptions.create(wanted)
        subscription_id = created["data"]["object"]["id"]
        activated = self.subscriptions.update(subscription_id, {"status": "active"})
        paid = self.subscriptions.pay_invoice(subscription_id)
        complete = session | {
            "customer": customer_id,
            "invoice": paid["data"]["object"]["id"],
            "payment_status": "paid",
            "status": "complete",
            "subscription": subscription_id,
            "url": None,
        }
        self.kept[session_id] = complete
        completed = event("checkout.session.completed", complete, int(time.time()))
        return complete, [created, activated, paid, completed]

    def _expired(self, session: Resource) -> tuple[Resource, list[Resource]]:
        expired = session | {"status": "expired", "url": None}
        self.kept[session["id"]] = expired
        return expired, [event("checkout.session.expired", expired, int(time.time()))]

    def _price_of(self, form: dict[str, Any]) -> Resource:
        items = form.get("line_items")
        if not isinstance(items, list) or len(items) != 1:
            raise invalid("Missing required param: line_items.", "line_items", "parameter_missing")
        refuse_unknown(items[0], {"price", "quantity"}, within="line_items[0]")
        required(items[0], "quantity", within="line_items[0]")
        price = found(self.account.prices, required(items[0], "price", within="line_items[0]"), "price", status=400)
        if price["recurring"] is None:
            raise invalid(
                "You must provide at least one recurring price in `subscription` mode when using prices.", "line_items"
            )
        return price


def _expiry_of(form: dict[str, Any], now: int) -> int:
    text = str(form.get("expires_at", now + _DAY_S))
    if not text.isascii() or not text.isdigit():
        raise invalid(f"Invalid integer: {text}", "expires_at", "parameter_invalid_integer")
    # The clocks of two machines differ a little.
    if not now + _SHORTEST_S - _CLOCKS_S <= int(text) <= now + _DAY_S + _CLOCKS_S:
        raise invalid(
            "The `expires_at` timestamp must be between 30 minutes and 24 hours from Checkout Session creation.",
            "expires_at",
        )
    return int(text)
