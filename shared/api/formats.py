"""In which format a list is answered: JSON, unless the request asks for CSV. Writes neither."""

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


def asks_for_csv(name: FormatName | None, *, accept: str | None) -> bool:
    """Tell whether to answer in CSV: the query's `format` decides; without one, the header `Accept` does.

    `Accept` means CSV where it names `text/csv` and likes nothing that takes in JSON better, nor JSON by name as well.
    """
    if name is not None:
        return name == "csv"
    liked = _qualities(accept or "")
    csv = liked.get(TEXT_CSV, Decimal(0))
    json = liked.get(APPLICATION_JSON)
    if json is not None:
        return csv > json
    return csv > 0 and csv >= liked.get("application/*", liked.get("*/*", Decimal(0)))


def _qualities(accept: str) -> Mapping[str, Decimal]:
    """Return how much each media range is liked, 0 to 1; one whose quality cannot be read is not liked."""
    found: dict[str, Decimal] = {}
    for part in accept.split(","):
        media, *parameters = (piece.strip().lower() for piece in part.split(";"))
        given = next((one.removeprefix("q=") for one in parameters if one.startswith("q=")), "1")
        found[media] = Decimal(given) if _QUALITY.fullmatch(given) else Decimal(0)
    return found
