"""Stripe's lists: newest first, in pages that begin after an id. Knows no resource."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from local.stripe.refusals import Resource, invalid

PAGING: Final = {"limit", "starting_after"}
_DEFAULT_LIMIT: Final = 10
_MAX_LIMIT: Final = 100


def page_of(resources: Iterable[Resource], form: dict[str, Any], *, url: str) -> Resource:
    """Return a page of the resources, which are given oldest first; raise Refused for paging that Stripe refuses."""
    text = str(form.get("limit", _DEFAULT_LIMIT))
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= _MAX_LIMIT:
        raise invalid("Invalid limit: must be between 1 and 100", "limit")
    newest_first = list(resources)[::-1]
    after = form.get("starting_after")
    if after is not None:
        ids = [resource["id"] for resource in newest_first]
        if after not in ids:
            raise invalid(f"No such object: '{after}'", "starting_after", "resource_missing")
        newest_first = newest_first[ids.index(after) + 1 :]
    limit = int(text)
    return {"object": "list", "data": newest_first[:limit], "has_more": len(newest_first) > limit, "url": url}
