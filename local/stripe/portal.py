"""The stand-in's billing portal: sessions whose page changes and cancels a customer's subscriptions. Sends nothing."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any, Final

from local.stripe.customers import Customers
from local.stripe.refusals import Resource, found, invalid, new_id, refuse_unknown, required
from local.stripe.subscriptions import ENDED, Subscriptions

PAGE_PATH: Final = "/p/session"

_FIELDS = {"customer", "return_url", "locale", "expand"}


@dataclass(slots=True)
class Portal:
    """The portal's sessions of one account."""

    customers: Customers
    subscriptions: Subscriptions
    kept: dict[str, Resource] = field(default_factory=dict)

    def create(self, form: dict[str, Any], *, origin: str) -> Resource:
        """Open a session of a customer, whose page is at `origin`; raise Refused."""
        refuse_unknown(form, _FIELDS)
        customer = self.customers.named(required(form, "customer"))
        session_id = new_id("bps")
        session: Resource = {
            "id": session_id,
            "object": "billing_portal.session",
            "configuration": "bpc_1stand_in",
            "created": int(time.time()),
            "customer": customer["id"],
            "flow": None,
            "livemode": False,
            "locale": form.get("locale"),
            "on_behalf_of": None,
            "return_url": form.get("return_url"),
            "url": f"{origin}{PAGE_PATH}/{session_id}",
        }
        self.kept[session_id] = session
        return session

    def find(self, session_id: str) -> Resource:
        """Return a session; raise Refused."""
        return found(self.kept, session_id, "billing_portal.session")

    def subscriptions_of(self, session_id: str) -> list[Resource]:
        """Return the subscriptions of the session's customer that have not ended."""
        customer_id = self.find(session_id)["customer"]
        return [
            one
            for one in self.subscriptions.kept.values()
            if one["customer"] == customer_id and one["status"] not in ENDED
        ]

    def act(self, session_id: str, form: dict[str, Any]) -> list[Resource]:
        """Change the plan of a subscription, cancel it now or at its period's end, or go on with it; return the events.

        `action` is `change` (to `price`), `cancel`, `cancel_at_period_end` or `renew`. Raise Refused.
        """
        subscription_id = required(form, "subscription")
        if subscription_id not in {one["id"] for one in self.subscriptions_of(session_id)}:
            raise invalid(f"No such subscription: '{subscription_id}'", "subscription", "resource_missing")
        match required(form, "action"):
            case "change":
                return [self.subscriptions.update(subscription_id, {"price": required(form, "price")})]
            case "cancel":
                return [self.subscriptions.cancel(subscription_id, {})]
            case "cancel_at_period_end":
                return [self.subscriptions.update(subscription_id, {"cancel_at_period_end": True})]
            case "renew":
                return [self.subscriptions.update(subscription_id, {"cancel_at_period_end": False})]
            case action:
                raise invalid(f"Invalid action: {action}", "action")
