"""The faults of a key that is not connected: what is wrong with it, and what to change at the exchange."""

from __future__ import annotations

from collections.abc import Iterable

from shared.api.requests import Fault, fault
from shared.errors import RequestUnprocessable
from shared.trading.connection import RefusalCode
from shared.views.key_findings import text_of


def refused(codes: Iterable[RefusalCode], *, param: str = "apiKey", value: object = None) -> RequestUnprocessable:
    """Return the error of a request that is refused for these reasons."""
    faults: list[Fault] = [
        fault(text_of(code), param=param, location="body", value=value, code=code.value) for code in codes
    ]
    return RequestUnprocessable(faults)
