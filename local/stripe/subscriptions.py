"""The stand-in's subscriptions and their events, in the shapes of Stripe's API. Sends nothing."""

from __future__ import annotations

import copy
import time
from dataclasses import dataclass, field
from typing import Any, Final

from local.stripe.account import Account
from local.stripe.refusals import Refused, Resource, new_id

API_VERSION: Final = "2026-10-28.dahlia"
_MONTH_S: Final = 30 * 24 * 3600
_STATUSES = {"incomplete", "incomplete_expired", "trialing", "active", "past_due", "canceled", "unpaid", "paused"}
_PAUSES = {"keep_as_draft", "mark_uncollectible", "void"}


@dataclass(slots=True)
class Subscriptions:
    """The subscriptions of one account."""

    account: Account
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
            "customer": wanted.get("customer") or new_id("cus"),
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
        return _event("customer.subscription.created", subscription, now)

    def update(self, subscription_id: str, wanted: dict[str, Any]) -> Resource:
        """Change price, status, metadata or the pause of collection, and return the event with the previous values."""
        subscription = self._find(subscription_id)
        now = _stripe_time(wanted)
        changes: Resource = {}
        if "status" in wanted:
            changes["status"] = _status(wanted["status"])
        if "metadata" in wanted:
            changes["metadata"] = wanted["metadata"]
        if "pause_collection" in wanted:
            changes["pause_collection"] = _pause(wanted["pause_collection"])
        if "price" in wanted:
            changes["items"] = self._items(subscription_id, str(wanted["price"]), now)
        before = {name: subscription[name] for name, value in changes.items() if subscription[name] != value}
        self.kept[subscription_id] = subscription | changes
        return _event("customer.subscription.updated", self.kept[subscription_id], now, before)

    def cancel(self, subscription_id: str, wanted: dict[str, Any]) -> Resource:
        """Cancel a subscription, and return the event."""
        now = _stripe_time(wanted)
        ended = self._find(subscription_id) | {"status": "canceled", "canceled_at": now, "ended_at": now}
        self.kept[subscription_id] = ended
        return _event("customer.subscription.deleted", ended, now)

    def fail_payment(self, subscription_id: str, wanted: dict[str, Any]) -> Resource:
        """Fail the payment of an invoice, and return the event. `update` changes the status.

        The invoice of an incomplete subscription is its first, whose payment Stripe does not try again.
        """
        subscription = self._find(subscription_id)
        now = _stripe_time(wanted)
        price = subscription["items"]["data"][0]["price"]
        first = subscription["status"] == "incomplete"
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
        details = {"metadata": subscription["metadata"], "subscription": subscription_id}
        invoice = {
            "id": subscription["latest_invoice"],
            "object": "invoice",
            "amount_due": price["unit_amount"],
            "attempt_count": int(wanted.get("attempt", 1)),
            "attempted": True,
            "billing_reason": "subscription_create" if first else "subscription_cycle",
            "collection_method": "charge_automatically",
            "created": now,
            "currency": price["currency"],
            "customer": subscription["customer"],
            "lines": {"object": "list", "data": [line], "has_more": False, "total_count": 1},
            "livemode": False,
            "next_payment_attempt": None if first else now + 3 * 24 * 3600,
            "parent": {"quote_details": None, "subscription_details": details, "type": "subscription_details"},
            "status": "open",
        }
        return _event("invoice.payment_failed", invoice, now)

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

    def _find(self, subscription_id: str) -> Resource:
        if subscription_id not in self.kept:
            raise Refused(404, "invalid_request_error", f"No such subscription: '{subscription_id}'")
        return self.kept[subscription_id]


def _event(kind: str, resource: Resource, now: int, before: Resource | None = None) -> Resource:
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
