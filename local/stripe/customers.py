"""The stand-in's customers. Speaks no HTTP."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field
from typing import Any

from local.stripe.refusals import Refused, Resource, found, new_id, refuse_unknown

_FIELDS = {"email", "name", "description", "metadata", "expand"}

_NAME_LENGTH = 256
_EMAIL = re.compile(r"[!-~]+@[!-~]+")


@dataclass(slots=True)
class Customers:
    """The customers of one account."""

    kept: dict[str, Resource] = field(default_factory=dict)

    def create(self, form: dict[str, Any], *, customer_id: str | None = None) -> Resource:
        """Create a customer, under a given id or a new one."""
        refuse_unknown(form, _FIELDS)
        if len(form.get("name") or "") > _NAME_LENGTH:
            raise Refused(400, "invalid_request_error", "Invalid string: too long", param="name")
        if not _EMAIL.fullmatch(form.get("email") or "a@b"):
            raise Refused(400, "invalid_request_error", "Invalid email address", param="email", code="email_invalid")
        customer = {
            "id": customer_id or new_id("cus"),
            "object": "customer",
            "created": int(time.time()),
            "description": form.get("description"),
            "email": form.get("email"),
            "livemode": False,
            "metadata": form.get("metadata", {}),
            "name": form.get("name"),
        }
        self.kept[customer["id"]] = customer
        return customer

    def find(self, customer_id: str) -> Resource:
        """Return a customer, or of a deleted one the little that Stripe keeps; raise Refused."""
        return found(self.kept, customer_id, "customer")

    def named(self, customer_id: str) -> Resource:
        """Return the customer that a form names; raise Refused for one that does not exist or is deleted."""
        existing = {name: customer for name, customer in self.kept.items() if "deleted" not in customer}
        return found(existing, customer_id, "customer", status=400)

    def ensure(self, customer_id: str | None) -> str:
        """Return the id of a customer, who is created where there is none yet."""
        if customer_id is None or customer_id not in self.kept:
            return str(self.create({}, customer_id=customer_id)["id"])
        return customer_id

    def delete(self, customer_id: str) -> Resource:
        """Delete a customer; raise Refused."""
        self.find(customer_id)
        self.kept[customer_id] = {"id": customer_id, "object": "customer", "deleted": True}
        return self.kept[customer_id]
