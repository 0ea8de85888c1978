"""The `Idempotency-Key` header: a repeat of a request gets the first answer, and nothing is done twice.

A key is valid for one caller and path. The answer is stored in the transaction that carries the request out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, TypeVar

from pydantic import StringConstraints
from pynamodb.transactions import TransactWrite

from shared.api.json_text import read_json, write_json
from shared.api.requests import Fault, fault
from shared.clock import utc_now
from shared.errors import RecordChanged, RequestUnprocessable
from shared.models.base import transact
from shared.models.idempotency_key import IdempotencyKey
from shared.trading.signal import Content, fingerprint

HEADER = "Idempotency-Key"

T = TypeVar("T")

_VALUE = r"[!-~]{1,255}"

KeyText = Annotated[str, StringConstraints(pattern=f"^{_VALUE}$")]
"""A value of the header."""


def key_faults(value: str | None) -> list[Fault]:
    """Return the faults of the header's value; there is none without the header."""
    if value is None or re.fullmatch(_VALUE, value):
        return []
    return [fault("must be text of 1 to 255 visible characters", param=HEADER, location="headers", value=value)]


def answer_once(repeatable: IdempotentRequest | None, work: Callable[[], T]) -> T:
    """Return what `work` returns, and store it; a repeat gets the first answer, and does no work.

    For work that is repeatable itself: of two equal requests at one moment both may do it, and both get one answer.
    """
    if repeatable is None:
        return work()
    now = utc_now()
    stored = repeatable.first_answer(at=now)
    if stored is None:
        answer = work()
        try:
            transact(repeatable.save_answer(write_json(answer), at=now))
        except RecordChanged:
            stored = repeatable.first_answer(at=now)
        if stored is None:
            return answer
    first: T = read_json(stored)
    return first


@dataclass(frozen=True, slots=True)
class IdempotentRequest:
    """A request with an idempotency key, and the fingerprint of its content."""

    header_value: str
    record_key: str
    content: str

    @classmethod
    def of(cls, header_value: str, *, caller_id: str, path: str, content: Mapping[str, Content]) -> IdempotentRequest:
        """Return the request of a header's value; equal contents are the same request, however they are written."""
        return cls(header_value, f"request#{caller_id}#{path}#{header_value}", fingerprint(content))

    def first_answer(self, *, at: datetime) -> str | None:
        """Return the first answer under the key, or None; raise RequestUnprocessable if it was to another content."""
        known = IdempotencyKey.find_valid(self.record_key, at=at)
        if known is None:
            return None
        if known.fingerprint != self.content:
            wrong = fault(
                "must not be used with another body", param=HEADER, location="headers", value=self.header_value
            )
            raise RequestUnprocessable([wrong])
        return known.response

    def save_answer(self, answer: str, *, at: datetime) -> Callable[[TransactWrite], None]:
        """Return the write that stores the answer; it fails if the key has an answer already."""
        return IdempotencyKey.claim(self.record_key, content=self.content, response=answer, at=at)
