"""The stand-in's subscriptions and their events, in the shapes of Stripe's API. Sends nothing."""

from __future__ import annotations

import copy
import time
from dataclasses import dataclass, field
from typing import Any, Final

from local.stripe.account import Account
from local.stripe.customers import Customers
from local.stripe.lists import PAGING, page_of
from local.stripe.refusals import Refused, Resource, found, new_id, refuse_unknown

API_VERSION: Final = "2026-10-28.dahlia"
_MONTH_S: Final = 30 * 24 * 3600
_STATUSES = {"incomplete", "incomplete_expired", "trialing", "active", "past_due", "canceled", "unpaid", "paused"}
ENDED: Final = frozenset({"canceled", "incomplete_expired"})
"""The statuses of a subscription that is over."""

_FILTERS = {"customer", "price", "status", "expand", *PAGING}
_PAUSES = {"keep_as_draft", "mark_uncollectible", "void"}


@dataclass(slots=True)
class Subscriptions:
    """The subscriptions of one account."""

    account: Account
    customers: Customers
    kept: dict[str, Resource] = field(default_factory=dict)

    def create(self, wanted: dict[str, Any]) -> Resource:
        """Create a customer's subscription to a price, and return the event; raise Refused."""
        now = _stripe_time(wanted)
        subscription_id = new_id("sub")
        subscription: Resource = {
            "id": subscription_id,
            "object": "subscription",
            "cancel_at_period_end": False,
            "canceled_at": None,
            "collection_method": "charge_automatically",
            "created": now,
            "currency": self.account.price(str(wanted.get("price")))["currency"],
            "customer": self.customers.ensure(wanted.get("customer") or None),
            "ended_at": None,
            "items": self._items(subscription_id, str(wanted.get("price")), now),
            "latest_invoice": new_id("in"),
            "livemode": False,
            "metadata": wanted.get("metadata", {}),
            "pause_collection": None,
            "start_date": now,
            "status": _status(wanted.get("status", "active")),
        }
        self.kept[subscription_id] = subscription
        return event("customer.subscription.created", subscription, now)

    def update(self, subscription_id: str, wanted: dict[str, Any]) -> Resource:
        """Change price, status, metadata, pause or end, and return the event with the previous values."""
        subscription = self.find(subscription_id)
        now = _stripe_time(wanted)
        changes: Resource = {}
        if "status" in wanted:
            changes["status"] = _status(wanted["status"])
        if "metadata" in wanted:
            changes["metadata"] = wanted["metadata"]
        if "pause_collection" in wanted:
            changes["pause_collection"] = _pause(wanted["pause_collection"])
        if "cancel_at_period_end" in wanted:
            changes["cancel_at_period_end"] = bool(wanted["cancel_at_period_end"])
        if "price" in wanted:
            changes["items"] = self._items(subscription_id, str(wanted["price"]), now)
        before = {name: subscription[name] for name, value in changes.items() if subscription[name] != value}
        self.kept[subscription_id] = subscription | changes
        return event("customer.subscription.updated", self.kept[subscription_id], now, before)

    def cancel(self, subscription_id: str, wanted: dict[str, Any]) -> Resource:
        """Cancel a subscription, and return the event."""
        now = _stripe_time(wanted)
        ended = self.find(subscription_id) | {"status": "canceled", "canceled_at": now, "ended_at": now}
        self.kept[subscription_id] = ended
        return event("customer.subscription.deleted", ended, now)

    def cancel_all_of(self, customer_id: str) -> list[Resource]:
        """Cancel the subscriptions of a customer that have not ended, and return the events."""
        living = [one for one in self.kept.values() if one["customer"] == customer_id and one["status"] not in ENDED]
        return [self.cancel(one["id"], {}) for one in living]

    def fail_payment(self, subscription_id: str, wanted: dict[str, Any]) -> Resource:
        """Fail the payment of an invoice, and return the event. `update` changes the status.

        The invoice of an incomplete subscription is its first, whose payment Stripe does not try again.
        """
        subscription = self.find(subscription_id)
        now = _stripe_time(wanted)
        first = subscription["status"] == "incomplete"
        invoice = _invoice(subscription, now, first=first) | {
            "attempt_count": int(wanted.get("attempt", 1)),
            "next_payment_attempt": None if first else now + 3 * 24 * 3600,
            "status": "open",
        }
        return event("invoice.payment_failed", invoice, now)

    def pay_invoice(self, subscription_id: str) -> Resource:
        """Pay the first invoice of a subscription, and return the event."""
        subscription, now = self.find(subscription_id), int(time.time())
        invoice = _invoice(subscription, now, first=True)
        paid = {"amount_paid": invoice["amount_due"], "attempt_count": 1, "next_payment_attempt": None}
        return event("invoice.paid", invoice | paid | {"status": "paid"}, now)

    def find(self, subscription_id: str) -> Resource:
        """Return a subscription; raise Refused."""
        return found(self.kept, subscription_id, "subscription")

    def page(self, form: dict[str, Any]) -> Resource:
        """Return a page of the subscriptions of a customer and status; without a status, those not canceled."""
        refuse_unknown(form, _FILTERS)
        status = form.get("status")
        matching = (
            one
            for one in self.kept.values()
            if form.get("customer") in {None, one["customer"]}
            and (status == "all" or (one["status"] == status if status else one["status"] not in ENDED))
        )
        return page_of(matching, form, url="/v1/subscriptions")

    def _items(self, subscription_id: str, price_id: str, now: int) -> Resource:
        item = {
            "id": new_id("si"),
            "object": "subscription_item",
            "created": now,
            "current_period_start": now,
            "current_period_end": now + _MONTH_S,
            "metadata": {},
            "price": self.account.price(price_id),
            "quantity": 1,
            "subscription": subscription_id,
        }
        return {
            "object": "list",
            "data": [item],
            "has_more": False,
            "total_count": 1,
            "url": f"/v1/subscription_items?subscription={subscription_id}",
        }


def _invoice(subscription: Resource, now: int, *, first: bool) -> Resource:
    price = subscription["items"]["data"][0]["price"]
    line = {
        "id": new_id("il"),
        "object": "line_item",
        "amount": price["unit_amount"],
        "currency": price["currency"],
        "pricing": {
            "price_details": {"price": price["id"], "product": price["product"]},
            "type": "price_details",
            "unit_amount_decimal": price["unit_amount_decimal"],
        },
    }
    details = {"metadata": subscription["metadata"], "subscription": subscription["id"]}
    return {
        "id": subscription["latest_invoice"],
        "object": "invoice",
        "amount_due": price["unit_amount"],
        "attempted": True,
        "billing_reason": "subscription_create" if first else "subscription_cycle",
        "collection_method": "charge_automatically",
        "created": now,
        "currency": price["currency"],
        "customer": subscription["customer"],
        "lines": {"object": "list", "data": [line], "has_more": False, "total_count": 1},
        "livemode": False,
        "parent": {"quote_details": None, "subscription_details": details, "type": "subscription_details"},
    }


def event(kind: str, resource: Resource, now: int, before: Resource | None = None) -> Resource:
    """Return an event about a resource, with the previous values of what changed."""
    data: Resource = {"object": copy.deepcopy(resource)}
    if before is not None:
        data["previous_attributes"] = copy.deepcopy(before)
    return {
        "id": new_id("evt"),
        "object": "event",
        "api_version": API_VERSION,
        "created": now,
        "data": data,
        "livemode": False,
        "pending_webhooks": 1,
        "request": {"id": None, "idempotency_key": None},
        "type": kind,
    }


def _stripe_time(wanted: dict[str, Any]) -> int:
    """Return Stripe's time, which the request may set."""
    return int(wanted.get("at", time.time()))


def _pause(pause: Any) -> Any:
    if pause is not None and pause.get("behavior") not in _PAUSES:
        raise Refused(400, "invalid_request_error", f"Invalid pause_collection[behavior]: {pause.get('behavior')}")
    return pause


def _status(status: Any) -> str:
    if status not in _STATUSES:
        raise Refused(400, "invalid_request_error", f"Invalid status: {status}")
    return str(status)
