"""Planned faults: which of the next requests fails, and how. Applies none (see server.py)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from local.paper_exchange.refusals import MESSAGES, STATUSES

DEFAULT_DELAY_MS = 30_000


class FaultKind(StrEnum):
    """The kinds of `POST /paper/faults`."""

    DROP_BEFORE = "drop_before"
    DROP_AFTER = "drop_after"
    HANG = "hang"
    LATE = "late"
    HTTP = "http"
    CODE = "code"
    TRUNCATE = "truncate"
    PARTIAL = "partial"
    NO_AVERAGE = "no_average"


@dataclass(slots=True)
class Fault:
    """One planned fault, for the next `times` requests that match; `retry_after_s` is the header of a 429 or 418.

    With `done_after_ms`, a request answered by `http` or `code` is carried out that long afterwards. With `parameters`,
    only requests that have all of them, with these values, match.
    """

    kind: FaultKind
    method: str | None
    path: str | None
    times: int
    api_key: str | None
    status: int
    code: int
    msg: str
    delay_ms: int
    done_after_ms: int | None = None
    retry_after_s: int | None = None
    parameters: dict[str, str] = field(default_factory=dict)

    def matches(self, method: str, path: str, api_key: str | None, parameters: Mapping[str, str]) -> bool:
        """Return whether the fault is for this request."""
        return (
            self.times > 0
            and (self.method is None or self.method == method)
            and (self.path is None or self.path == path)
            and (self.api_key is None or self.api_key == api_key)
            and all(parameters.get(name) == value for name, value in self.parameters.items())
        )

    def as_json(self) -> dict[str, Any]:
        """Return the fault as it is body for."""
        return {
            "kind": self.kind,
            "method": self.method,
            "path": self.path,
            "times": self.times,
            "apiKey": self.api_key,
            "status": self.status,
            "code": self.code,
            "msg": self.msg,
            "delayMs": self.delay_ms,
            "doneAfterMs": self.done_after_ms,
            "retryAfterS": self.retry_after_s,
            "parameters": self.parameters,
        }


def parse_fault(body: dict[str, Any]) -> Fault:
    """Read `POST /paper/faults`; raise ValueError or TypeError with what is wrong.

    Without method or path every request matches.
    """
    kind = FaultKind(str(body.get("kind")))
    times = int(body.get("times", 1))
    if times < 1:
        raise ValueError("times must be at least 1")
    path = body.get("path")
    if path is not None and not str(path).startswith("/"):
        raise ValueError("path must start with /")
    parameters = body.get("parameters", {})
    if not isinstance(parameters, dict):
        raise TypeError("parameters must be an object")
    code = int(body.get("code", -1000))
    default_status = STATUSES.get(code, 400) if kind is FaultKind.CODE else 503
    return Fault(
        kind=kind,
        method=str(body["method"]).upper() if body.get("method") else None,
        path=str(path) if path is not None else None,
        times=times,
        api_key=body.get("apiKey"),
        status=int(body.get("status", default_status)),
        code=code,
        msg=str(body.get("msg", MESSAGES.get(code, "Fault.") if kind is FaultKind.CODE else "Service Unavailable")),
        delay_ms=int(body.get("delayMs", DEFAULT_DELAY_MS)),
        done_after_ms=int(body["doneAfterMs"]) if "doneAfterMs" in body else None,
        retry_after_s=int(body["retryAfterS"]) if "retryAfterS" in body else None,
        parameters={str(name): str(value) for name, value in parameters.items()},
    )


class Faults:
    """The faults that are still planned, oldest first."""

    def __init__(self) -> None:
        self._planned: list[Fault] = []

    def plan(self, fault: Fault) -> None:
        """Add a fault."""
        self._planned.append(fault)

    def take(self, method: str, path: str, api_key: str | None, parameters: Mapping[str, str]) -> Fault | None:
        """Return the oldest fault that matches, and count its use."""
        for fault in self._planned:
            if fault.matches(method, path, api_key, parameters):
                fault.times -= 1
                if not fault.times:
                    self._planned.remove(fault)
                return fault
        return None

    def clear(self) -> None:
        """Delete every fault."""
        self._planned.clear()

    def as_json(self) -> list[dict[str, Any]]:
        """Return the faults that are still planned."""
        return [fault.as_json() for fault in self._planned]
