"""The resources of the stand-in and the requests that create, show and change them. Speaks no HTTP, sends no event."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from local.stripe.account import Account
from local.stripe.checkout import CheckoutSessions
from local.stripe.customers import Customers
from local.stripe.portal import Portal
from local.stripe.refusals import Refused, Resource
from local.stripe.subscriptions import Subscriptions


@dataclass(frozen=True, slots=True)
class Call:
    """One request: its form or query, the id in its path, and the address of the pages."""

    form: dict[str, Any]
    id: str
    origin: str


class Api:
    """Stripe's API, and the events that its requests made and that are not sent yet."""

    def __init__(self) -> None:
        self.account = Account.seeded()
        self.customers = Customers()
        self.subscriptions = Subscriptions(self.account, self.customers)
        self.checkout = CheckoutSessions(self.account, self.customers, self.subscriptions)
        self.portal = Portal(self.customers, self.subscriptions)
        self._unsent: list[Resource] = []
        self._routes: Mapping[str, Callable[[Call], Resource]] = {
            "POST /v1/products": lambda call: self.account.create_product(call.form),
            "GET /v1/products/:id": lambda call: self.account.product(call.id),
            "POST /v1/prices": lambda call: self.account.create_price(call.form),
            "GET /v1/prices/:id": lambda call: self.account.price(call.id),
            "POST /v1/customers": lambda call: self.customers.create(call.form),
            "GET /v1/customers/:id": lambda call: self.customers.find(call.id),
            "DELETE /v1/customers/:id": self._delete_customer,
            "GET /v1/subscriptions": lambda call: self.subscriptions.page(call.form),
            "GET /v1/subscriptions/:id": lambda call: self.subscriptions.find(call.id),
            "POST /v1/checkout/sessions": lambda call: self.checkout.create(call.form, origin=call.origin),
            "GET /v1/checkout/sessions": lambda call: self.checkout.page(call.form),
            "GET /v1/checkout/sessions/:id": lambda call: self.checkout.find(call.id),
            "POST /v1/checkout/sessions/:id/expire": self._expire_session,
            "POST /v1/billing_portal/sessions": lambda call: self.portal.create(call.form, origin=call.origin),
        }

    def answer(
        self, method: str, path: str, form: dict[str, Any], *, key: str | None, origin: str
    ) -> tuple[Resource, bool]:
        """Carry a request out, a POST once for each idempotency key; return its answer and whether it is a replay.

        Raise Refused.
        """
        self._unsent += self.checkout.expire_overdue()
        route, resource_id = self._route(method, path)
        call = Call(form, resource_id, origin)
        made, replayed = self.account.idempotent(key if method == "POST" else None, path, form, lambda: route(call))
        return self.account.expanded(made, form.get("expand", [])), replayed

    def take_events(self) -> list[Resource]:
        """Return the events that are not sent yet, each once."""
        events, self._unsent = self._unsent, []
        return events

    def _route(self, method: str, path: str) -> tuple[Callable[[Call], Resource], str]:
        if (plain := self._routes.get(f"{method} {path}")) is not None:
            return plain, ""
        parts = path.split("/")
        for place, resource_id in enumerate(parts):
            pattern = "/".join([*parts[:place], ":id", *parts[place + 1 :]])
            if (found := self._routes.get(f"{method} {pattern}")) is not None:
                return found, resource_id
        raise Refused(404, "invalid_request_error", f"Unrecognized request URL ({method}: {path}).")

    def _delete_customer(self, call: Call) -> Resource:
        deleted = self.customers.delete(call.id)
        self._unsent += self.subscriptions.cancel_all_of(call.id)
        return deleted

    def _expire_session(self, call: Call) -> Resource:
        expired, events = self.checkout.expire(call.id)
        self._unsent += events
        return expired
