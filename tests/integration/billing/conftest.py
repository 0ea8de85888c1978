"""The stand-in for Stripe, once for the tests of this folder, and the client of it."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from local.stripe import API_KEY
from shared.billing import prices
from tests.environment import environment
from tests.integration.services import running_stand_in


@dataclass(frozen=True, slots=True)
class StandIn:
    """The running stand-in."""

    url: str

    def requests(self) -> list[dict[str, Any]]:
        """Return the requests received since the test began."""
        found: list[dict[str, Any]] = self._send("GET", "requests")
        return found

    def fail_next(self, *, times: int, status: int = 500, after: bool = False) -> None:
        """Make the next requests fail, before or after they are carried out."""
        self._send("POST", "failures", {"status": status, "times": times, "after": after})

    def forget(self) -> None:
        """Forget requests and failures."""
        self._send("DELETE", "requests")
        self.fail_next(times=0)

    def _send(self, method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/stand-in/{path}", data=data, method=method)  # noqa: S310
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - our own server
            text = answer.read()
        return json.loads(text) if text else None


@pytest.fixture(scope="session")
def stripe_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Start the stand-in and return its address."""
    with running_stand_in(
        "local.stripe", probe="/stand-in/requests", directory=tmp_path_factory.mktemp("stripe")
    ) as url:
        yield url


@pytest.fixture
def stand_in(stripe_server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    """Point the client at the stand-in."""
    monkeypatch.setattr(prices, "read_parameter", lambda _: API_KEY)
    stand_in = StandIn(stripe_server)
    stand_in.forget()
    with environment(STRIPE_API_BASE=stripe_server, STRIPE_KEY_PARAMETER="/test/stripe-api-key"):
        yield stand_in
