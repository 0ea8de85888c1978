"""Reads a measurement from the paper exchange's own books: when each account entered, and was protected."""

from __future__ import annotations

import json
import secrets
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_STOP = "STOP_MARKET"


@dataclass(frozen=True, slots=True)
class Account:
    """One account at the paper exchange."""

    api_key: str
    secret: str


@dataclass(frozen=True, slots=True)
class Measured:
    """How fast one sender handled an alert; times in milliseconds from the alert, by the exchange's clock."""

    name: str
    last_entry_ms: float
    last_protected_ms: float
    requests: int
    """Requests per account."""


class Exchange:
    """The paper exchange's control interface."""

    def __init__(self, url: str) -> None:
        self.url = url

    def control(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """Send one control request and return its answer."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data=data, method=method)  # noqa: S310 - 127.0.0.1
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - 127.0.0.1
            return json.loads(answer.read() or b"null")

    def open_accounts(self, count: int) -> list[Account]:
        """Open funded accounts."""
        accounts = [Account(secrets.token_hex(32), secrets.token_hex(32)) for _ in range(count)]
        for account in accounts:
            body = {"apiKey": account.api_key, "secret": account.secret, "balances": {"USDT": "10000"}}
            self.control("POST", "/paper/accounts", body)
        return accounts

    def books(self, api_keys: Sequence[str]) -> list[dict[str, Any]]:
        """Return each account's orders, fills, positions and request counts."""
        return [self.control("GET", f"/paper/accounts/{key}") for key in api_keys]

    def requests(self, api_keys: Sequence[str]) -> int:
        """Return how many requests the accounts have sent so far."""
        return sum(sum(book["requests"].values()) for book in self.books(api_keys))

    def measure(self, name: str, api_keys: Sequence[str], *, alert_at_ms: float, requests_before: int) -> Measured:
        """Return when the last account had entered and was protected; raise ValueError if one is not protected."""
        books = self.books(api_keys)
        entries, stops = [], []
        for book in books:
            entered = [o["time"] for o in book["orders"] if fills_at_once(o) and o["time"] >= alert_at_ms]
            stopped = [
                o["createTime"]
                for o in book["orders"]
                if o.get("orderType") == _STOP and o["createTime"] >= alert_at_ms
            ]
            if not entered or not stopped:
                raise ValueError(f"{name}: an account has no protected position")
            entries.append(max(entered))
            stops.append(max(stopped))
        sent = sum(sum(book["requests"].values()) for book in books) - requests_before
        return Measured(
            name=name,
            last_entry_ms=max(entries) - alert_at_ms,
            last_protected_ms=max(stops) - alert_at_ms,
            requests=round(sent / len(books)),
        )


def fills_at_once(order: Mapping[str, Any]) -> bool:
    """Return whether an order never rests in the book: an entry, or a market order that closes."""
    return order.get("type") == "MARKET" or order.get("timeInForce") == "IOC"
