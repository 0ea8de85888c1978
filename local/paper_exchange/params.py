"""Reads one request's parameters by type, with Binance's error codes. Knows no endpoint."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum
from typing import TypeVar

from local.paper_exchange.refusals import Refusal

_DECIMAL = re.compile(r"^-?[0-9]{1,20}(\.[0-9]{1,20})?$")
_INTEGER = re.compile(r"^-?[0-9]{1,18}$")
_WEEK_MS = 7 * 24 * 3600 * 1000
_DECIMAL_RANGE = r"^([0-9]{1,20})(\.[0-9]{1,20})?$"
_Choice = TypeVar("_Choice", bound=StrEnum)


class Params:
    """The parameters of a query string, a form body, or one entry of a batch."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values

    def text(self, name: str) -> str | None:
        """Return the value, None where it is missing or empty."""
        return self._values.get(name) or None

    def required(self, name: str) -> str:
        """Return the value, or refuse."""
        value = self._values.get(name)
        if not value:
            raise Refusal(-1102, name)
        return value

    def decimal(self, name: str) -> Decimal | None:
        """Return the number, None where it is missing."""
        value = self._values.get(name)
        if not value:
            return None
        if not _DECIMAL.match(value):
            raise Refusal(-1100, name, _DECIMAL_RANGE)
        return Decimal(value)

    def required_decimal(self, name: str) -> Decimal:
        """Return the number, or refuse."""
        number = self.decimal(name)
        if number is None:
            raise Refusal(-1102, name)
        return number

    def integer(self, name: str) -> int | None:
        """Return the whole number, None where it is missing."""
        value = self._values.get(name)
        if not value:
            return None
        if not _INTEGER.match(value):
            raise Refusal(-1100, name, "^[0-9]{1,20}$")
        return int(value)

    def flag(self, name: str) -> bool:
        """Return whether the value is `true`, in any case; missing is false."""
        value = (self._values.get(name) or "false").lower()
        if value not in ("true", "false"):
            raise Refusal(-1130, name)
        return value == "true"

    def choice(
        self, name: str, choices: type[_Choice], *, default: _Choice | None = None, code: int = -1130
    ) -> _Choice:
        """Return the value as a member of an enum; refuse an unknown one with `code`."""
        value = self._values.get(name)
        if not value:
            if default is None:
                raise Refusal(-1102, name)
            return default
        try:
            return choices(value.upper())
        except ValueError:
            raise Refusal(code, name) from None

    def week(self, now_ms: int, *, from_id: int | None) -> tuple[int | None, int | None]:
        """Return `startTime` and `endTime` of a history: seven days at most, the last seven where neither is sent.

        With `from_id` there is no span; the two exclude each other.
        """
        start_ms, end_ms = self.integer("startTime"), self.integer("endTime")
        if from_id is not None:
            if start_ms is not None or end_ms is not None:
                raise Refusal(-1128)
            return None, None
        if start_ms is not None and end_ms is not None and end_ms - start_ms > _WEEK_MS:
            raise Refusal(-1127, 7 * 24)
        if start_ms is None:
            start_ms = (now_ms if end_ms is None else end_ms) - _WEEK_MS
        return start_ms, end_ms if end_ms is not None else start_ms + _WEEK_MS

    def limit(self, *, default: int = 500, most: int = 1000) -> int:
        """Return the requested number of rows."""
        limit = self.integer("limit")
        return default if limit is None else max(1, min(limit, most))
