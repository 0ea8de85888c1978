"""The running stand-in for Stripe, as its control interface shows it."""

from __future__ import annotations

import json
import urllib.request
from dataclasses import dataclass
from typing import Any


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
