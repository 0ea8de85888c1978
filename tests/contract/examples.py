"""The documentation's examples as data, and how an answer is held against one. Sends nothing.

`examples/` has one file for each documented endpoint: its address, the requests and the responses as documented. An
answer has an example's shape when keys, their order and the JSON types are the same; ids, times and dates must look
like the documented ones. It has the example's values when everything else is equal too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_FOLDER = Path(__file__).parent / "examples"

_LOOKS = {
    "id": re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"),
    # One example has a time without Z: a slip. Answers always have it.
    "time": re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z?"),
    "date": re.compile(r"\d{4}-\d\d-\d\d"),
}
_ANSWERED_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")

_LAST_PLACE = 1.01e-8

ASIDE = frozenset({"id", "uid", "createdAt", "updatedAt"})
"""What differs by nature: ids and times."""


@dataclass(frozen=True, slots=True)
class Example:
    """One documented endpoint."""

    title: str
    function: str
    method: str
    path: str
    requests: list[Any]
    responses: list[dict[str, Any]]

    @property
    def request(self) -> Any:
        """The only documented request."""
        (request,) = self.requests
        return json.loads(json.dumps(request))

    def response(self, status: int = 200, number: int = 0) -> Any:
        """Return a documented response: of those with this status the given one."""
        return [one["body"] for one in self.responses if one["status"] == status][number]

    def at(self, record_id: str = "") -> str:
        """Return the path with an id in its place."""
        return re.sub(r"\{.*?\}", record_id, self.path)


def load(name: str) -> Example:
    """Return the example in `examples/<name>.json`."""
    return Example(**json.loads((_FOLDER / f"{name}.json").read_text(encoding="utf-8")))


def load_all() -> list[Example]:
    """Return every documented endpoint."""
    return [load(file.stem) for file in sorted(_FOLDER.glob("*.json"))]


def assert_shape(actual: Any, documented: Any) -> None:
    """Fail unless an answer has a documented one's shape."""
    found = differences(actual, documented, aside=None)
    assert not found, "\n".join(found)


def assert_same(actual: Any, documented: Any, *, aside: Collection[str] = ASIDE) -> None:
    """Fail unless an answer has a documented one's shape, and its values but for the fields that stand aside."""
    found = differences(actual, documented, aside=aside)
    assert not found, "\n".join(found)


def differences(actual: Any, documented: Any, *, aside: Collection[str] | None, at: str = "$") -> list[str]:
    """Return what differs, a line each; `aside` None compares shapes alone."""
    kind = _kind(documented)
    if not _is_of(kind, actual):
        return [f"{at}: {actual!r} is no {kind}, as {documented!r} is"]
    if kind == "object":
        if list(actual) != list(documented):
            return [f"{at}: has the keys {list(actual)}, not {list(documented)}"]
        found = []
        for key, value in documented.items():
            inner = None if aside is None or key in aside else aside
            found += differences(actual[key], value, aside=inner, at=f"{at}.{key}")
        return found
    if kind == "list":
        return _differences_of_lists(actual, documented, aside=aside, at=at)
    if aside is not None and not _is_equal(kind, actual, documented):
        return [f"{at}: is {actual!r}, not {documented!r}"]
    return []


def _differences_of_lists(actual: Any, documented: Any, *, aside: Collection[str] | None, at: str) -> list[str]:
    if len(actual) == len(documented):
        pairs = zip(actual, documented, strict=True)
        return [line for i, (a, d) in enumerate(pairs) for line in differences(a, d, aside=aside, at=f"{at}[{i}]")]
    if aside is not None or not documented:
        return [f"{at}: has {len(actual)} items, not {len(documented)}"]
    if not actual:
        return [f"{at}: is empty, so it shows nothing"]
    found = []
    for number, item in enumerate(actual):
        candidates = [differences(item, one, aside=None, at=f"{at}[{number}]") for one in documented]
        if all(candidates):
            found += min((len(lines), lines) for lines in candidates)[1]
    return found


def _is_equal(kind: str, actual: Any, documented: Any) -> bool:
    if kind == "number":
        # The documented exchange cuts what has more than eight places; the paper exchange rounds it.
        return bool(abs(actual - documented) <= _LAST_PLACE)
    return bool(actual == documented)


def _kind(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int() | float():
            return "number"
        case list():
            return "list"
        case dict():
            return "object"
        case str():
            return next((name for name, look in _LOOKS.items() if look.fullmatch(value)), "text")
    raise TypeError(f"no JSON: {value!r}")


def _is_of(kind: str, value: Any) -> bool:
    if kind == "text":
        return isinstance(value, str)
    if kind == "time":
        return isinstance(value, str) and _ANSWERED_TIME.fullmatch(value) is not None
    return _kind(value) == kind
