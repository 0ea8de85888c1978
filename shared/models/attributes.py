"""Attribute types for DynamoDB: exact decimals, integers, UTC times as sortable text, enums by their value."""

from __future__ import annotations

import json
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, TypeVar

from pynamodb.attributes import Attribute, ListAttribute, UnicodeAttribute
from pynamodb.constants import NUMBER, STRING

from shared.clock import from_iso, to_iso
from shared.trading.entry_settings import BelowMinimum, EntrySettings, LossLimit, SizingType
from shared.trading.place import PlaceInTime

E = TypeVar("E", bound=StrEnum)

_NUMBERS_OF_SETTINGS = ("value", "max_notional", "max_leverage")


class DecimalAttribute(Attribute[Decimal]):
    """An exact decimal number; PynamoDB's own number attribute would convert it to a float."""

    attr_type = NUMBER

    def serialize(self, value: Decimal) -> str:
        """Return the plain digits; raise ValueError for NaN and infinity, which DynamoDB cannot hold."""
        if not value.is_finite():
            raise ValueError(f"not a finite number: {value}")
        return format(value, "f")

    def deserialize(self, value: str) -> Decimal:
        """Return the number as stored."""
        return Decimal(value)


class IntegerAttribute(Attribute[int]):
    """A whole number."""

    attr_type = NUMBER

    def serialize(self, value: int) -> str:
        """Return the digits."""
        return str(int(value))

    def deserialize(self, value: str) -> int:
        """Return the number as stored."""
        return int(Decimal(value))


class TimeAttribute(Attribute[datetime]):
    """A UTC time as ISO 8601 text with milliseconds, so that text order is time order."""

    attr_type = STRING

    def serialize(self, value: datetime) -> str:
        """Return `2022-09-09T01:57:36.304Z`."""
        return to_iso(value)

    def deserialize(self, value: str) -> datetime:
        """Return the UTC-aware datetime."""
        return from_iso(value)


class PlaceAttribute(Attribute[PlaceInTime]):
    """A place in time as text, so that conditions compare places."""

    attr_type = STRING

    def serialize(self, value: PlaceInTime) -> str:
        """Return `2022-09-09T01:57:36Z#1#000000000000007`."""
        return value.to_text()

    def deserialize(self, value: str) -> PlaceInTime:
        """Return the place."""
        return PlaceInTime.from_text(value)


class EnumAttribute(Attribute[E]):
    """A member of a StrEnum, stored as its value."""

    attr_type = STRING

    def __init__(self, enum: type[E], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._enum = enum

    def serialize(self, value: E) -> str:
        """Return the member's value; raise ValueError if there is no such member."""
        return self._enum(value).value

    def deserialize(self, value: str) -> E:
        """Return the member."""
        return self._enum(value)


class EntrySettingsAttribute(Attribute[EntrySettings]):
    """A follower's settings for its entries as JSON text, without those that are not chosen; numbers as texts."""

    attr_type = STRING

    def serialize(self, value: EntrySettings) -> str:
        """Return `{"max_notional": "500"}`."""
        chosen: dict[str, str] = {}
        if value.sizing is not SizingType.RISK:
            chosen["sizing"] = value.sizing.value
        for name in _NUMBERS_OF_SETTINGS:
            number: Decimal | None = getattr(value, name)
            if number is not None:
                chosen[name] = format(number, "f")
        if value.below_minimum is not BelowMinimum.SKIP:
            chosen["below_minimum"] = value.below_minimum.value
        limit = value.loss_limit
        if limit is not None:
            numbers = {"loss_day": limit.day_pct, "loss_week": limit.week_pct}
            chosen |= {name: format(number, "f") for name, number in numbers.items() if number is not None}
            chosen |= {"loss_close": "yes"} if limit.close else {}
        return json.dumps(chosen)

    def deserialize(self, value: str) -> EntrySettings:
        """Return the settings."""
        chosen: dict[str, str] = json.loads(value)
        numbers = {name: Decimal(chosen[name]) for name in _NUMBERS_OF_SETTINGS if name in chosen}
        return EntrySettings(
            sizing=SizingType(chosen.get("sizing", SizingType.RISK)),
            below_minimum=BelowMinimum(chosen.get("below_minimum", BelowMinimum.SKIP)),
            loss_limit=_loss_limit(chosen),
            **numbers,
        )


def _loss_limit(chosen: dict[str, str]) -> LossLimit | None:
    day, week = (Decimal(chosen[name]) if name in chosen else None for name in ("loss_day", "loss_week"))
    if day is None and week is None:
        return None
    return LossLimit(day_pct=day, week_pct=week, close="loss_close" in chosen)


def decimal_list(**kwargs: Any) -> ListAttribute[Decimal]:
    """Return an attribute that holds a list of exact decimals."""
    # PynamoDB's annotation expects the element's Python type here, its code the attribute's class.
    return ListAttribute(of=DecimalAttribute, **kwargs)  # type: ignore[arg-type]


def text_list(**kwargs: Any) -> ListAttribute[str]:
    """Return an attribute that holds a list of texts."""
    return ListAttribute(of=UnicodeAttribute, **kwargs)  # type: ignore[arg-type]
