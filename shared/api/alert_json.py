"""Parses an alert's body as JSON, with every number as it was written. Knows no field."""

from __future__ import annotations

from typing import Final, TypeAlias

from shared.api.json_text import Dialect, NumberText, read_object

Json: TypeAlias = "str | NumberText | bool | list[Json] | dict[str, Json] | None"

MAX_BYTES: Final = 16 * 1024
"""Of a body: far more than any alert for us needs."""

_TRADINGVIEW: Final = Dialect(number=NumberText, constant=str, raw_controls=True)
"""TradingView writes an unquoted NaN where an indicator has no value: it is read as the text "NaN".

It puts names and comments into the message as they are, with their line breaks and tabs.
"""


def parse_alert_json(raw: bytes, *, called: str = "body") -> dict[str, Json]:
    """Return the fields of a body; raise RequestInvalid if it is not one JSON object."""
    return read_object(raw, called=called, dialect=_TRADINGVIEW)
