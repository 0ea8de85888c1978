"""Parses bodies and queries into models, and reports every fault of a request at once, in the documented form."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Annotated, Any, ClassVar, Final, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, PrivateAttr, ValidationError, ValidationInfo, WithJsonSchema
from pydantic.alias_generators import to_camel

from shared.api.events import raw_body_of
from shared.api.fields import DOCUMENTED, FaultMessage, Limit, fault_message_of
from shared.api.json_text import read_object
from shared.api.paging import Cursor, Page, open_token, seal_token
from shared.errors import RequestUnprocessable

MAX_BODY_BYTES: Final = 64 * 1024

Fault = dict[str, object]
"""`{"value", "msg", "param", "location"}`, without `value` if the request had none."""

_PAGING = ("limit", "nextToken")

T = TypeVar("T", bound="Fields")


class Fields(BaseModel):
    """Fields of a request under their documented names, in the documented order: faults come in the same."""

    model_config = ConfigDict(alias_generator=to_camel, frozen=True, extra="ignore")

    unbound: ClassVar[tuple[str, ...]] = _PAGING
    """Parameters that may differ from page to page: a token is bound to all others."""

    fault_messages: ClassVar[dict[str, FaultMessage]] = {}
    """The message of each field's fault, by its documented name, in the documented order."""

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        """Collect the fields' messages; a field without one is an error at import."""
        super().__pydantic_init_subclass__(**kwargs)
        messages = {field.alias or name: fault_message_of(field) for name, field in cls.model_fields.items()}
        # The paging fields are inherited, but documented after the endpoint's own parameters.
        cls.fault_messages = dict(sorted(messages.items(), key=lambda entry: entry[0] in _PAGING))


class Body(Fields):
    """The body of a request. A field that is not documented is a fault.

    `answer` is the answer's TypedDict. Its fields that the body does not take are ignored, so that a client can edit an
    answer and send it back.
    """

    model_config = ConfigDict(extra="forbid")

    answer: ClassVar[type]

    other_names: ClassVar[dict[str, str]] = {}
    """Further names of a field → its documented name. If a request has both, their values must be equal."""

    def changes(self) -> dict[str, Any]:
        """Return the fields that the request contains."""
        return self.model_dump(exclude_unset=True)


class Query(Fields):
    """The query parameters of a request; others are ignored."""


def _open(token: Any, info: ValidationInfo) -> Cursor:
    return open_token(str(token), scope=info.context["scope"] if info.context else "")


class ListQuery(Query):
    """The paging of a list. The token is bound to the path and to the query's other parameters."""

    limit: Limit = 100
    next_token: Annotated[
        Any, AfterValidator(_open), WithJsonSchema({"type": "string"}), FaultMessage("must be nextToken of this list")
    ] = None

    _scope: str = PrivateAttr(default="")

    @property
    def start(self) -> Cursor | None:
        """Where the page starts; None for the first one."""
        cursor: Cursor | None = self.next_token
        return cursor

    def token_after(self, end: Cursor | None) -> str | None:
        """Return the token of the page after `end`, or None when there is none."""
        return None if end is None else seal_token(end, scope=self._scope)

    def token_of(self, page: Page[Any]) -> str | None:
        """Return the token of the page after this one, or None."""
        return self.token_after(page.end)


def fault(msg: str, *, param: str, location: str, value: object = None, code: str | None = None) -> Fault:
    """Return one documented fault; without `value` if it is None.

    A refusal that a person must act on has a `code`, which stays when the words change.
    """
    found: Fault = {} if value is None else {"value": value}
    found |= {"msg": msg, "param": param, "location": location}
    return found if code is None else found | {"code": code}


def raise_faults(faults: Sequence[Fault]) -> None:
    """Raise RequestUnprocessable if there are faults, of a request without a body."""
    if faults:
        raise RequestUnprocessable([*faults])


def read_body(event: Mapping[str, Any], model: type[T], *, faults: Sequence[Fault] = ()) -> T:
    """Return a request's body; raise RequestInvalid if it is no JSON object.

    Raise RequestUnprocessable for the given `faults`, followed by the body's.
    """
    raw = read_object(raw_body_of(event, max_bytes=MAX_BODY_BYTES, called="request body"), called="request body")
    alias_used: dict[str, str] = {}
    twin_faults: list[Fault] = []
    for other, name in getattr(model, "other_names", {}).items():
        if other in raw:
            value = raw.pop(other)
            if name in raw:
                twin_faults += _twin_faults(model, name, raw[name], other=other, value=value)
            else:
                raw[name], alias_used[name] = value, other
    answer: type | None = getattr(model, "answer", None)
    read_only = set(answer.__annotations__) if answer is not None else set()
    # The values of unknown fields are not echoed: one may be a misspelt secret.
    unknown = [
        fault("unknown field", param=name, location="body")
        for name in raw
        if name not in model.fault_messages and name not in read_only
    ]
    return _validate(
        model, raw, location="body", faults=faults, alias_used=alias_used, further=[*twin_faults, *unknown]
    )


def read_query(event: Mapping[str, Any], model: type[T], *, path: str, faults: Sequence[Fault] = ()) -> T:
    """Return a request's query parameters; raise RequestUnprocessable for the given `faults`, followed by theirs."""
    raw: dict[str, Any] = dict(event.get("queryStringParameters") or {})
    bound = {name: raw[name] for name in model.fault_messages if name in raw and name not in model.unbound}
    scope = f"{path.rstrip('/').lower()}?{json.dumps(bound, sort_keys=True)}"
    query = _validate(model, raw, location="query", scope=scope, faults=faults)
    if isinstance(query, ListQuery):
        query._scope = scope
    return query


def _validate(
    model: type[T],
    raw: Mapping[str, Any],
    *,
    location: str,
    scope: str = "",
    faults: Sequence[Fault] = (),
    alias_used: Mapping[str, str] = MappingProxyType({}),
    further: Sequence[Fault] = (),
) -> T:
    # Pydantic gets only names that it knows: there are texts that it cannot report as the place of a fault.
    known = {name: value for name, value in raw.items() if name in model.fault_messages}
    try:
        read = model.model_validate(known, context={"scope": scope, "raw": raw})
    except ValidationError as error:
        found = _faults_of(model, error, raw=raw, location=location)
        named = [one | {"param": alias_used.get(str(one["param"]), one["param"])} for one in found]
        raise RequestUnprocessable([*faults, *named, *further]) from error
    if faults or further:
        raise RequestUnprocessable([*faults, *further])
    return read


def _twin_faults(model: type[Fields], name: str, given: Any, *, other: str, value: Any) -> list[Fault]:
    """Return the faults of the value that a field has under its other name, beside `given` under its documented one."""
    wrong = _faults_of_field(model, name, value)
    if wrong:
        return [one | {"param": other + str(one["param"]).removeprefix(name)} for one in wrong]
    if value == given or _faults_of_field(model, name, given):
        return []
    return [fault(f"must agree with {name}", param=other, location="body", value=value)]


def _faults_of_field(model: type[Fields], name: str, value: Any) -> list[Fault]:
    raw = {name: value}
    try:
        model.model_validate(raw, context={"scope": "", "raw": raw})
    except ValidationError as error:
        found = _faults_of(model, error, raw=raw, location="body")
        return [one for one in found if str(one["param"]).partition("[")[0] == name]
    return []


def _faults_of(model: type[Fields], error: ValidationError, *, raw: Mapping[str, Any], location: str) -> list[Fault]:
    found: dict[str, Fault] = {}
    for entry in error.errors(include_url=False, include_context=False):
        name = str(entry["loc"][0])
        # pydantic reports a faulty default under the field's Python name.
        if name in model.model_fields:
            name = model.model_fields[name].alias or name
        param = name + "".join(f"[{part}]" for part in entry["loc"][1:])
        documented = model.fault_messages[name]
        one = fault(entry["msg"] if entry["type"] == DOCUMENTED else documented.text, param=param, location=location)
        given = name in raw and not documented.secret
        found.setdefault(param, {"value": entry["input"]} | one if given else one)
    order = {name: place for place, name in enumerate(model.fault_messages)}
    return sorted(found.values(), key=lambda one: order.get(str(one["param"]).partition("[")[0], len(order)))
