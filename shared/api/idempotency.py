"""The `Idempotency-Key` header: a repeat of a request gets the first answer, and nothing is done twice.

Per admin and path. The answer is kept in the transaction that does what was asked for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from pydantic import StringConstraints
from pynamodb.transactions import TransactWrite

from shared.api.requests import Fault, fault
from shared.errors import RequestUnprocessable
from shared.models.idempotency_key import IdempotencyKey
from shared.trading.signal import Content, fingerprint

HEADER = "Idempotency-Key"

_VALUE = r"[!-~]{1,255}"

KeyText = Annotated[str, StringConstraints(pattern=f"^{_VALUE}$")]
"""What the header may hold."""


def key_faults(value: str | None) -> list[Fault]:
    """Return what is wrong with the header of a request; one without it is fine."""
    if value is None or re.fullmatch(_VALUE, value):
        return []
    return [fault("must be text of 1 to 255 visible characters", param=HEADER, location="headers", value=value)]


@dataclass(frozen=True, slots=True)
class Once:
    """One request that names its key, and the content that it stands for."""

    given: str
    record_key: str
    content: str

    @classmethod
    def of(cls, given: str, *, admin_id: str, path: str, content: Mapping[str, Content]) -> Once:
        """Return it for the header's value; equal contents are the same request, however they are written."""
        return cls(given, f"request#{admin_id}#{path}#{given}", fingerprint(content))

    def first_answer(self, *, at: datetime) -> str | None:
        """Return what was answered first; raise RequestUnprocessable if that was to another content."""
        known = IdempotencyKey.find_valid(self.record_key, at=at)
        if known is None:
            return None
        if known.fingerprint != self.content:
            wrong = fault("must not be used with another body", param=HEADER, location="headers", value=self.given)
            raise RequestUnprocessable([wrong])
        return known.response

    def keep(self, answer: str, *, at: datetime) -> Callable[[TransactWrite], None]:
        """Return the write that keeps the answer; it fails where one is kept already."""
        return IdempotencyKey.claim(self.record_key, content=self.content, response=answer, at=at)
