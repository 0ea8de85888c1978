"""The format of a list's answer: JSON, unless the request wants CSV. Writes neither."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, ClassVar, Literal

from aws_lambda_powertools.event_handler.content_types import APPLICATION_JSON

from shared.api.csv_text import TEXT_CSV
from shared.api.fields import FaultMessage
from shared.api.requests import ListQuery

FormatName = Annotated[Literal["json", "csv"], FaultMessage("must be json or csv")]

_QUALITY = re.compile(r"(?:0(?:\.\d{0,3})?|1(?:\.0{0,3})?)")


class FormattedListQuery(ListQuery):
    """The query of a list that is answered in JSON or CSV. A page may come in another format than the one before."""

    unbound: ClassVar[tuple[str, ...]] = ("format", *ListQuery.unbound)

    format: FormatName | None = None


def wants_csv(name: FormatName | None, *, accept: str | None) -> bool:
    """Return whether to answer in CSV: the query's `format` decides; without one, the header `Accept` does.

    `Accept` must name `text/csv`, with a higher quality than JSON if it names JSON, else no lower one than a wildcard.
    """
    if name is not None:
        return name == "csv"
    qualities = _qualities(accept or "")
    csv = qualities.get(TEXT_CSV, Decimal(0))
    json = qualities.get(APPLICATION_JSON)
    if json is not None:
        return csv > json
    return csv > 0 and csv >= qualities.get("application/*", qualities.get("*/*", Decimal(0)))


def _qualities(accept: str) -> Mapping[str, Decimal]:
    """Return the quality of each media range, 0 to 1; 0 if it cannot be parsed."""
    found: dict[str, Decimal] = {}
    for part in accept.split(","):
        media, *parameters = (piece.strip().lower() for piece in part.split(";"))
        given = next((one.removeprefix("q=") for one in parameters if one.startswith("q=")), "1")
        found[media] = Decimal(given) if _QUALITY.fullmatch(given) else Decimal(0)
    return found
