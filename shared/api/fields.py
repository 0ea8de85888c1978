"""The field types of requests, each with the message of its fault, so that handlers have none. Knows no endpoint."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any, Final, Literal, get_args

from pydantic import AfterValidator, BeforeValidator, Field, GetCoreSchemaHandler, StringConstraints, WithJsonSchema
from pydantic.fields import FieldInfo
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from shared.api import grammar
from shared.readable_text import fold_name, is_hidden
from shared.trading.sides import Side, StopType
from shared.trading.stop_moves import MOST_TARGETS

_DIGITS = re.compile(r"[0-9]{1,9}")
_PLAIN_NUMBER = re.compile(r"[0-9]{1,15}(\.[0-9]{1,15})?")
_MOST_USD = Decimal("999999.99")
"""What Stripe takes."""

_WHOLE_PCT = Decimal(100)
_MOST_MINUTES: Final = 31 * 24 * 60

_NAME_LENGTH: Final = "must be text of 1 to 100 characters"
_MOST_FOLDED: Final = 300

UNCHANGED: Any = None
"""The default of a field that may be left out of a change; a `null` in the request is a fault all the same."""

DOCUMENTED = "documented"
"""The type of every pydantic error whose message is ours."""


@dataclass(frozen=True, slots=True)
class FaultMessage:
    """The message of a field's fault, the same for a missing value as for a wrong one.

    It covers what stands before it in `Annotated`. A `secret` value is never echoed.
    """

    text: str
    secret: bool = False

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Replace whatever goes wrong inside with the documented message."""
        return core_schema.custom_error_schema(
            handler(source), custom_error_type=DOCUMENTED, custom_error_message=self.text
        )


@dataclass(frozen=True, slots=True)
class ListFaultMessage(FaultMessage):
    """The message of a list's own fault; its items keep the messages of their type."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Leave the items' faults as they are."""
        return handler(source)


def fault_message_of(field: FieldInfo) -> FaultMessage:
    """Return the message of a field's type, or of one choice of its union; raise TypeError where there is none."""
    parts = [*(part for choice in get_args(field.annotation) for part in _metadata(choice)), *field.metadata]
    for part in reversed(parts):
        if isinstance(part, FaultMessage):
            return part
    raise TypeError("a request's field must say what it must be")


def _metadata(choice: Any) -> tuple[Any, ...]:
    return getattr(choice, "__metadata__", ())


def whole_number(text: Any) -> Any:
    """Return the number that a text of digits is; raise ValueError for anything else."""
    # int() would also take " 7 ", "+7" and "1_000".
    if not isinstance(text, str) or not _DIGITS.fullmatch(text):
        raise ValueError("not a whole number")
    return int(text)


def _number(value: Any) -> Any:
    # Pydantic would also take text and booleans.
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise ValueError("not a number")  # noqa: TRY004 - pydantic lets a TypeError through
    return Decimal(value)


def _plain_number(text: Any) -> Any:
    # Decimal() would also take " 7 ", "1_000", "1e9" and "NaN".
    if not isinstance(text, str) or not _PLAIN_NUMBER.fullmatch(text):
        raise ValueError("not a plain number")
    return Decimal(text)


def _storable(number: Decimal) -> Decimal:
    message = grammar.storage_fault(number)
    if message is not None:
        raise PydanticCustomError(DOCUMENTED, "{message}", {"message": message})
    return number


def _whole(value: Any) -> Any:
    if isinstance(value, str):
        return whole_number(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError("not a whole number")  # noqa: TRY004 - see above
    return value


def _whole_usd(value: Any) -> int:
    amount: Decimal = _number(value)
    # Compared before it is converted: 1E+999999999 is a gigabyte of zeros as an int.
    if not 0 < amount <= grammar.LARGEST or amount != int(amount):
        raise ValueError("not a whole amount")
    return int(amount)


def _usd(amount: Decimal) -> Decimal:
    if amount > _MOST_USD or amount != round(amount, 2):
        raise PydanticCustomError(DOCUMENTED, "must be at most 999999.99, in whole cents")
    return amount


def _whole_of(percentages: list[Decimal]) -> list[Decimal]:
    if sum(percentages) != _WHOLE_PCT:
        raise PydanticCustomError(DOCUMENTED, "must be percentages with a sum of 100")
    return percentages


def _lower(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


def _upper(value: Any) -> Any:
    # "\u017fell".upper() is "SELL".
    return value.upper() if isinstance(value, str) and value.isascii() else value


def _readable(name: str) -> str:
    folded = fold_name(name)
    if not folded or any(map(is_hidden, name)):
        raise PydanticCustomError(DOCUMENTED, "must be text of visible characters")
    # One character may be eighteen in the form by which names are compared, which is a key of limited length.
    if len(folded) > _MOST_FOLDED:
        raise PydanticCustomError(DOCUMENTED, _NAME_LENGTH)
    return name


def visible_text(text: str) -> str:
    """Return the text; raise ValueError for a character that nobody sees."""
    if any(map(is_hidden, text)):
        raise ValueError("a character that nobody sees")
    return text


def in_any_case(words: Iterable[str]) -> WithJsonSchema:
    """Return the JSON schema of a text that is one of the words, in upper, lower or mixed case."""
    spelled = ("".join(f"[{letter.lower()}{letter.upper()}]" for letter in word) for word in words)
    return WithJsonSchema({"type": "string", "pattern": f"^({'|'.join(spelled)})$"})


Flag = Annotated[bool, Field(strict=True), FaultMessage("must be boolean")]

Positive = Annotated[Decimal, BeforeValidator(_number), Field(gt=0), AfterValidator(_storable)]
"""A number inside a field whose own message covers it."""

PositiveText = Annotated[Decimal, BeforeValidator(_plain_number), Field(gt=0), AfterValidator(_storable)]
"""The same as text, in a query."""

Price = Annotated[
    Decimal, BeforeValidator(_number), Field(gt=0), FaultMessage("must be greater than 0"), AfterValidator(_storable)
]

MonthlyPrice = Annotated[Price, AfterValidator(_usd)]

WholeUsd = Annotated[
    int, BeforeValidator(_whole_usd), Field(gt=0, le=10**12), FaultMessage("must be integer from 1 to 1000000000000")
]

KeyCount = Annotated[
    int,
    BeforeValidator(_whole),
    Field(gt=0, le=1_000_000),
    WithJsonSchema(
        {"anyOf": [{"type": "integer", "minimum": 1, "maximum": 1_000_000}, {"type": "string", "pattern": "^[0-9]+$"}]}
    ),
    FaultMessage("must be integer from 1 to 1000000"),
]

StripePriceId = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,255}$"), FaultMessage("price id does not exist")
]

Uuid = Annotated[
    str,
    BeforeValidator(_lower),
    StringConstraints(pattern=f"^{grammar.UUID}$"),
    WithJsonSchema({"type": "string", "format": "uuid"}),
    FaultMessage("must be UUID"),
]

TradeSide = Annotated[Side, BeforeValidator(_upper), in_any_case(Side), FaultMessage("must be supported trade side")]

OrderType = Annotated[
    StopType, BeforeValidator(_upper), in_any_case(StopType), FaultMessage("must be supported order type")
]

AlphabetName = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z]+$", max_length=100), FaultMessage("must be alphabet only")
]

Percentage = Annotated[
    Decimal,
    BeforeValidator(_number),
    Field(gt=0, le=100),
    FaultMessage("must be greater than 0 and at most 100"),
    AfterValidator(_storable),
]

Name = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=100),
    FaultMessage(_NAME_LENGTH),
    AfterValidator(_readable),
]

TargetCount = Annotated[
    int, Field(strict=True, ge=1, le=MOST_TARGETS), FaultMessage(f"must be null or integer from 1 to {MOST_TARGETS}")
]

TargetWeights = Annotated[
    list[Percentage],
    Field(min_length=1, max_length=MOST_TARGETS),
    AfterValidator(_whole_of),
    ListFaultMessage(f"must be null or list of 1 to {MOST_TARGETS} percentages"),
]

StopShare = Annotated[
    Decimal,
    BeforeValidator(_number),
    Field(gt=0, le=1),
    FaultMessage("must be null or greater than 0 and at most 1"),
    AfterValidator(_storable),
]

Minutes = Annotated[
    int,
    Field(strict=True, ge=1, le=_MOST_MINUTES),
    FaultMessage(f"must be null or integer from 1 to {_MOST_MINUTES}"),
]

Description = Annotated[
    str | None, StringConstraints(max_length=2000), FaultMessage("must be null or text of at most 2000 characters")
]

ExchangeId = Annotated[Literal["BINANCE"], FaultMessage("must be supported exchange")]

Symbol = Annotated[
    str,
    StringConstraints(pattern=r"^[^\sa-z/:]{1,40}/[^\sa-z/:]{1,40}$"),
    AfterValidator(visible_text),
    FaultMessage("must be format BASE/QUOTE"),
]
"""The form alone: the exchange's list decides which symbols there are, in whatever alphabet it names them."""

ApiKeyText = Annotated[str, StringConstraints(pattern=r"^[!-~]{1,256}$"), FaultMessage("must be API key")]

ApiSecretText = Annotated[
    str, StringConstraints(pattern=r"^[!-~]{1,256}$"), FaultMessage("must be API secret key", secret=True)
]

IpAddress = Annotated[str, StringConstraints(pattern=r"^[0-9A-Fa-f.:]{2,45}$"), FaultMessage("must be IP address")]

TradeTypeName = Annotated[Literal["SPOT", "FUTURES"], FaultMessage("must be supported trade type")]

StrategyTypeName = Annotated[Literal["AUTOMATED", "MANUAL"], FaultMessage("must be supported strategy type")]

Limit = Annotated[
    int, BeforeValidator(whole_number), Field(ge=1, le=1000), FaultMessage("must be integer from 1 to 1000")
]
