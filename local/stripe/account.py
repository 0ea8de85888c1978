"""The stand-in's products, prices and answers by idempotency key. Speaks no HTTP."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from local.stripe import PRO_PRICE, STANDARD_PRICE
from local.stripe.refusals import Refused, Resource, found, invalid, new_id, refuse_unknown, required

SEEDED_PRICES: Final = {
    "price_1LmHQlEaYDRKzLl0XIs6QIbc": ("BASIC", 2000),
    STANDARD_PRICE: ("STANDARD", 4000),
    PRO_PRICE: ("CUSTOM 123", 12300),
}
"""Prices that exist from the start, in cents."""

_MOST_CENTS = 99_999_999
_MAX_KEY_LENGTH = 255
_INTERVALS = ("day", "week", "month", "year")
_PRODUCT_FIELDS = {"name", "description", "active", "metadata", "expand"}
_PRICE_FIELDS = {"currency", "unit_amount", "product", "product_data", "recurring", "nickname", "metadata", "expand"}


@dataclass(frozen=True, slots=True)
class _StoredAnswer:
    path: str
    form: dict[str, Any]
    status: int
    body: Resource


@dataclass(slots=True)
class Account:
    """An account at Stripe."""

    products: dict[str, Resource] = field(default_factory=dict)
    prices: dict[str, Resource] = field(default_factory=dict)
    _answers: dict[str, _StoredAnswer] = field(default_factory=dict)

    @classmethod
    def seeded(cls) -> Account:
        """Return an account with the documentation's prices."""
        account = cls()
        for price_id, (name, cents) in SEEDED_PRICES.items():
            form = {
                "currency": "usd",
                "unit_amount": str(cents),
                "recurring": {"interval": "month"},
                "product_data": {"name": name},
            }
            price = account.create_price(form)
            account.prices[price_id] = account.prices.pop(price["id"]) | {"id": price_id}
        return account

    def create_product(self, form: dict[str, Any]) -> Resource:
        """Create a product."""
        refuse_unknown(form, _PRODUCT_FIELDS)
        name = required(form, "name")
        product = {
            "id": new_id("prod"),
            "object": "product",
            "active": form.get("active", "true") == "true",
            "created": int(time.time()),
            "description": form.get("description"),
            "livemode": False,
            "metadata": form.get("metadata", {}),
            "name": name,
            "type": "service",
        }
        self.products[product["id"]] = product
        return product

    def create_price(self, form: dict[str, Any]) -> Resource:
        """Create a price, and its product if the request describes one."""
        refuse_unknown(form, _PRICE_FIELDS)
        currency = required(form, "currency")
        cents = _cents(required(form, "unit_amount"))
        recurring = form.get("recurring")
        if recurring is not None and recurring.get("interval") not in _INTERVALS:
            raise invalid(
                "Invalid recurring[interval]: must be one of day, month, week, or year", "recurring[interval]"
            )
        if ("product" in form) == ("product_data" in form):
            raise invalid("You must specify either `product` or `product_data` when creating a price.", "product")
        # Everything is checked before anything is created.
        product_data = form.get("product_data")
        if product_data is not None:
            required(product_data, "name", within="product_data")
        product = self.create_product(product_data) if product_data is not None else self.product(form["product"])
        price = {
            "id": new_id("price"),
            "object": "price",
            "active": True,
            "billing_scheme": "per_unit",
            "created": int(time.time()),
            "currency": currency,
            "livemode": False,
            "lookup_key": None,
            "metadata": form.get("metadata", {}),
            "nickname": form.get("nickname"),
            "product": product["id"],
            "recurring": recurring
            and {"interval": recurring["interval"], "interval_count": 1, "usage_type": "licensed"},
            "type": "recurring" if recurring else "one_time",
            "unit_amount": cents,
            "unit_amount_decimal": str(cents),
        }
        self.prices[price["id"]] = price
        return price

    def product(self, product_id: str) -> Resource:
        """Return a product; raise Refused."""
        return found(self.products, product_id, "product")

    def price(self, price_id: str) -> Resource:
        """Return a price; raise Refused."""
        return found(self.prices, price_id, "price")

    def expanded(self, resource: Resource, expand: list[str]) -> Resource:
        """Return a resource with the resources of `expand` in place of their ids."""
        for name in expand:
            if name != "product" or "product" not in resource:
                raise invalid(f"This property cannot be expanded ({name}).", "expand")
            resource = resource | {"product": self.products[resource["product"]]}
        return resource

    def idempotent(
        self, key: str | None, path: str, form: dict[str, Any], carry_out: Callable[[], Resource]
    ) -> tuple[Resource, bool]:
        """Run a request once for each idempotency key; return its answer and whether it is a replay, or raise Refused.

        As at Stripe, a key is not used up by a request that was refused for its form.
        """
        if key is None:
            return carry_out(), False
        if not 0 < len(key) <= _MAX_KEY_LENGTH:
            raise invalid("Idempotency keys must be 1 to 255 characters long.", "idempotency_key")
        stored = self._answers.get(key)
        if stored is None:
            body = carry_out()
            self._answers[key] = _StoredAnswer(path, form, 200, body)
            return body, False
        if (stored.path, stored.form) != (path, form):
            raise Refused(
                400,
                "idempotency_error",
                "Keys for idempotent requests can only be used with the same parameters they were first used with. "
                f"Try using a key other than '{key}' if you meant to execute a different request.",
            )
        return stored.body, True


def _cents(text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise invalid(f"Invalid integer: {text}", "unit_amount", "parameter_invalid_integer")
    if int(text) > _MOST_CENTS:
        raise invalid("Amount must be no more than $999,999.99", "unit_amount", "amount_too_large")
    return int(text)
