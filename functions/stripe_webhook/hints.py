"""Reads from an event of any shape whose it may be: its customer, the user in its metadata, its prices. Never raises.

`schemas` reads the same events strictly.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

# The characters and length that both SQS (group and de-duplication ids) and our keys accept.
TOKEN: Final = re.compile(r"[\x21-\x7e]{1,128}")

_MAX_PRICES: Final = 20


@dataclass(frozen=True, slots=True)
class Price:
    """A price that an event names."""

    id: str
    plan_id: str
    """The plan in the price's metadata, or an empty text."""


@dataclass(frozen=True, slots=True)
class Hints:
    """Whose an event may be."""

    customer_id: str | None
    """None where the event says that there is none."""
    named_user_id: str | None
    prices: tuple[Price, ...]


def hints_of(fields: Mapping[str, Any]) -> Hints | None:
    """Return whose an event may be, or None where it does not even tell its customer."""
    resource = _object(_object(fields.get("data")).get("object"))
    if "customer" not in resource:
        return None
    customer_id = token_or_none(id_of(resource["customer"]))
    if customer_id is None and resource["customer"] is not None:
        return None
    details = (_object(resource.get("parent")).get("subscription_details"), resource.get("subscription_details"))
    named = (_named_user_id(place) for place in (resource, *details))
    return Hints(customer_id, next((found for found in named if found is not None), None), prices_of(resource))


def prices_of(resource: Mapping[str, Any]) -> tuple[Price, ...]:
    """Return the prices of a subscription's items, or of an invoice's lines in either of Stripe's shapes."""
    found = (_price(value) for value in _price_values(resource))
    return tuple(dict.fromkeys(price for price in found if price is not None))[:_MAX_PRICES]


def token_or_none(value: Any) -> str | None:
    """Return a value that can be an id; None for any other."""
    return value if isinstance(value, str) and TOKEN.fullmatch(value) else None


def id_of(value: Any) -> Any:
    """Return the id of a resource, which Stripe sends whole where it was requested expanded."""
    return value.get("id") if isinstance(value, Mapping) else value


def _price_values(resource: Mapping[str, Any]) -> Iterator[Any]:
    for name in ("items", "lines"):
        entries = _object(resource.get(name)).get("data")
        for entry in entries if isinstance(entries, list) else ():
            yield _object(entry).get("price")
            yield _object(_object(_object(entry).get("pricing")).get("price_details")).get("price")


def _price(value: Any) -> Price | None:
    price_id = token_or_none(id_of(value))
    plan_id = token_or_none(_object(_object(value).get("metadata")).get("subscription_id"))
    return Price(price_id, plan_id or "") if price_id is not None else None


def _named_user_id(value: Any) -> str | None:
    return token_or_none(_object(_object(value).get("metadata")).get("user_id"))


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
