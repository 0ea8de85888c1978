"""The field types of requests. What a fault says belongs to the type, never to a handler. Knows no endpoint."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, Field, GetCoreSchemaHandler, StringConstraints
from pydantic.fields import FieldInfo
from pydantic_core import CoreSchema, core_schema

_DIGITS = re.compile(r"[0-9]{1,9}")

UNCHANGED: Any = None
"""The default of a field that may be left out of a change; a `null` in the request is a fault all the same."""

DOCUMENTED = "documented"
"""The type of every pydantic error whose message is ours."""


@dataclass(frozen=True, slots=True)
class Says:
    """What a fault of this field says; the same for a missing value as for a wrong one.

    It must stand last in `Annotated`, so that it speaks for everything before it. A `secret` value is never echoed.
    """

    text: str
    secret: bool = False

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Replace whatever goes wrong inside with the documented message."""
        return core_schema.custom_error_schema(
            handler(source), custom_error_type=DOCUMENTED, custom_error_message=self.text
        )


def said_by(field: FieldInfo) -> Says:
    """Return what a field's type says, alone or as one choice of a union; raise TypeError for one that says nothing."""
    parts = [*field.metadata, *(part for choice in get_args(field.annotation) for part in _metadata(choice))]
    for part in reversed(parts):
        if isinstance(part, Says):
            return part
    raise TypeError("a request's field must say what it must be")


def _metadata(choice: Any) -> tuple[Any, ...]:
    return getattr(choice, "__metadata__", ())


def _whole_number(text: Any) -> Any:
    # int() would also take " 7 ", "+7" and "1_000".
    if not isinstance(text, str) or not _DIGITS.fullmatch(text):
        raise ValueError("not a whole number")
    return int(text)


Flag = Annotated[bool, Field(strict=True), Says("must be boolean")]

Name = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=100),
    Says("must be text of 1 to 100 characters"),
]

Description = Annotated[
    str | None, StringConstraints(max_length=2000), Says("must be null or text of at most 2000 characters")
]

ExchangeId = Annotated[Literal["BINANCE"], Says("must be supported exchange")]

Symbol = Annotated[
    str, StringConstraints(pattern=r"^[A-Z0-9]{1,20}/[A-Z0-9]{1,20}$"), Says("must be format BASE/QUOTE")
]

ApiKeyText = Annotated[str, StringConstraints(pattern=r"^[!-~]{1,256}$"), Says("must be API key")]

ApiSecretText = Annotated[
    str, StringConstraints(pattern=r"^[!-~]{1,256}$"), Says("must be API secret key", secret=True)
]

TradeTypeName = Annotated[Literal["SPOT", "FUTURES"], Says("must be supported trade type")]

Limit = Annotated[int, BeforeValidator(_whole_number), Field(ge=1, le=1000), Says("must be integer from 1 to 1000")]
