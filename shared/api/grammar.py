"""What numbers and UUIDs look like in a request, and which numbers can be stored. Plain: alerts need no pydantic."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final

UNSIGNED_NUMBER: Final = r"(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,4})?"
"""A number as text, without its sign."""

ABSENT: Final = r"\s*([nN][aA][nN]|[nN][aA]|[nN]/[aA]|[nN][uU][lL][lL])?\s*"
"""A text that means that there is no number.

TradingView writes NaN for an indicator without a value. Scripts that write the number themselves have `na` from Pine,
`N/A`, or `null`.
"""

UUID: Final = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
"""A UUID in lower case."""

LARGEST, SMALLEST = Decimal(10) ** 12, Decimal(10) ** -12
MAX_DIGITS = 34  # DynamoDB holds 38.

_NUMBER = re.compile(f"[+-]?{UNSIGNED_NUMBER}", re.ASCII)
_ABSENT = re.compile(ABSENT)
_UUID = re.compile(UUID)


def parse_number(text: str) -> Decimal | None:
    """Return the number that a text is, blanks around it or not; None for any other text."""
    stripped = text.strip()
    return Decimal(stripped) if _NUMBER.fullmatch(stripped) else None


def is_absent(text: str) -> bool:
    """Return whether a text means that there is no number."""
    return _ABSENT.fullmatch(text) is not None


def storage_fault(number: Decimal) -> str | None:
    """Return the fault of a positive number that cannot be stored exactly; None for any other."""
    if number > LARGEST:
        return f"must be at most {LARGEST:f}"
    if number < SMALLEST:
        return f"must be at least {SMALLEST:f}"
    if len("".join(map(str, number.as_tuple().digits)).rstrip("0")) > MAX_DIGITS:
        return f"must have at most {MAX_DIGITS} digits"
    return None


def parse_uuid(text: str) -> str | None:
    """Return the UUID in lower case; None for any other text."""
    lowered = text.lower()
    return lowered if _UUID.fullmatch(lowered) else None
