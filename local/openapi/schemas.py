"""Makes JSON Schemas of Python types: TypedDicts of answers, pydantic models of requests. Knows no route.

Every TypedDict becomes a component by its own name; two types of one name are an error.
"""

from __future__ import annotations

import inspect
import types
from enum import Enum
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin, get_type_hints, is_typeddict

from pydantic import TypeAdapter
from pydantic.fields import FieldInfo
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue, WithJsonSchema
from pydantic_core import core_schema

from shared.api.fields import fault_message_of
from shared.api.requests import Body, Fields

REFERENCE = "#/components/schemas/{model}"

Schema = dict[str, Any]

_BOUNDS = {"gt": "exclusiveMinimum", "ge": "minimum", "lt": "exclusiveMaximum", "le": "maximum"}


class Clash(Exception):
    """Two parts of the document have the same name."""


class Components:
    """The named schemas of one document."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[Any, Schema]] = {}

    @property
    def schemas(self) -> dict[str, Schema]:
        """Return every named schema, sorted by name."""
        return {name: schema for name, (_, schema) in sorted(self._known.items())}

    def of(self, kind: Any) -> Schema:
        """Return the schema of the declared type of an answer or of a part of it."""
        origin, arguments = get_origin(kind), get_args(kind)
        if is_typeddict(origin or kind):
            return self._reference(_name_of(kind), kind, lambda: self._typed_dict(kind))
        if origin is Annotated:
            return self._annotated(arguments[0], arguments[1:])
        if origin in {Union, types.UnionType}:
            return {"anyOf": [self.of(choice) for choice in arguments]}
        if origin is list:
            return {"type": "array", "items": self.of(arguments[0])}
        if origin is dict:
            return self._mapping(*arguments)
        schema = TypeAdapter(kind).json_schema(schema_generator=_Exact)
        # An enum's docstring is for readers of the code.
        return {name: value for name, value in schema.items() if name not in {"title", "description"}}

    def of_body(self, model: type[Body]) -> Schema:
        """Return the schema of a request's body, with alternative names and ignored fields."""
        return self._reference(model.__name__, model, lambda: self._body(model))

    def of_fields(self, model: type[Fields]) -> Schema:
        """Return the schema of a model's fields, each with the message of its faults."""
        schema = model.model_json_schema(by_alias=True, schema_generator=_Exact, ref_template=REFERENCE)
        for name, definition in schema.pop("$defs", {}).items():
            plain = {key: value for key, value in definition.items() if key not in {"title", "description"}}
            self._store(name, (name, repr(plain)), plain)
        for field_name, field in model.model_fields.items():
            name = field.alias or field_name
            schema["properties"][name] = _with_description(_bounded(schema["properties"][name]), field)
        del schema["title"]
        return schema

    def _annotated(self, kind: Any, marks: tuple[Any, ...]) -> Schema:
        written = next((mark.json_schema for mark in reversed(marks) if isinstance(mark, WithJsonSchema)), None)
        schema = self.of(kind) if written is None else dict(written)
        for mark in marks:
            if isinstance(mark, FieldInfo) and mark.description:
                schema["description"] = mark.description
        return schema

    def _mapping(self, keys: Any, values: Any) -> Schema:
        found = self.of(values)
        if isinstance(keys, type) and issubclass(keys, Enum):
            # An enum as key means a value for every member.
            names = [str(member.value) for member in keys]
            properties = dict.fromkeys(names, found)
            return {"type": "object", "properties": properties, "additionalProperties": False, "required": names}
        return {"type": "object", **({"additionalProperties": found} if found else {})}

    def _typed_dict(self, kind: Any) -> Schema:
        plain = get_origin(kind) or kind
        meaning = dict(zip(getattr(plain, "__parameters__", ()), get_args(kind), strict=True))
        hints = get_type_hints(plain, include_extras=True)
        properties = {name: self.of(_bound(_required(hint), meaning)) for name, hint in hints.items()}
        required = [name for name in hints if name in _required_names(plain, hints)]
        schema: Schema = {"type": "object", "properties": properties}
        if getattr(plain, "__pydantic_config__", {}).get("extra") != "allow":
            schema["additionalProperties"] = False
        if description := _words(plain):
            schema["description"] = description
        return schema | ({"required": required} if required else {})

    def _body(self, model: type[Body]) -> Schema:
        schema = self.of_fields(model)
        properties, required = schema["properties"], schema.get("required", [])
        either: list[Schema] = []
        for other, name in model.other_names.items():
            properties[other] = dict(properties[name]) | {
                "description": f"Another name of {name}. If a body has both, they must be equal."
            }
            if name in required:
                required.remove(name)
                either.append({"anyOf": [{"required": [name]}, {"required": [other]}]})
        if either:
            schema["allOf"] = either
        if not required:
            schema.pop("required", None)
        for name in get_type_hints(model.answer) if hasattr(model, "answer") else ():
            properties.setdefault(name, {"readOnly": True, "description": "Ignored: it cannot be changed here."})
        return schema

    def _reference(self, name: str, kind: Any, make: Any) -> Schema:
        if name not in self._known or self._known[name][0] != kind:
            self._store(name, kind, {})
            self._known[name] = (kind, make())
        return {"$ref": REFERENCE.format(model=name)}

    def _store(self, name: str, kind: Any, schema: Schema) -> None:
        known = self._known.setdefault(name, (kind, schema))
        if known[0] != kind:
            raise Clash(f"two schemas are called {name}: {known[0]} and {kind}")


class _Exact(GenerateJsonSchema):
    """Makes every number a JSON number, and shows no default for optional fields."""

    def decimal_schema(self, schema: core_schema.DecimalSchema) -> JsonSchemaValue:
        """Return a number's schema."""
        bounds = {theirs: schema.get(ours) for ours, theirs in _BOUNDS.items()}
        return {"type": "number", **{name: _plain(bound) for name, bound in bounds.items() if bound is not None}}

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        """Leave out a default of `null`, which means "not given"."""
        found = super().default_schema(schema)
        if found.get("default", ...) is None:
            del found["default"]
        return found

    def field_title_should_be_set(self, schema: Any) -> bool:
        """Return False: a title would repeat the name."""
        del schema
        return False


def _plain(bound: Any) -> int | float:
    return int(bound) if bound == int(bound) else float(bound)


def _bounded(value: Any) -> Any:
    """Return a schema with bounds under JSON Schema's names; pydantic keeps its own names behind a function."""
    match value:
        case dict():
            return {_BOUNDS.get(name, name): _bounded(inner) for name, inner in value.items()}
        case list():
            return [_bounded(inner) for inner in value]
        case _:
            return value


def _with_description(schema: Schema, field: FieldInfo) -> Schema:
    text = fault_message_of(field).text
    words = f"{text[:1].upper()}{text[1:]}." if text.startswith("must ") else f"Else: {text}."
    secret = {"writeOnly": True} if fault_message_of(field).secret else {}
    return {**schema, "description": words, **secret}


def _name_of(kind: Any) -> str:
    origin = get_origin(kind)
    if origin is None:
        return str(kind.__name__)
    return f"{origin.__name__}Of" + "And".join(_name_of(argument) for argument in get_args(kind))


def _required(hint: Any) -> Any:
    # `NotRequired` stays in the hint on purpose: `_required_names` reads it.
    return get_args(hint)[0] if getattr(get_origin(hint), "_name", "") in {"NotRequired", "Required"} else hint


def _required_names(kind: Any, hints: dict[str, Any]) -> set[str]:
    # With postponed annotations `__required_keys__` ignores NotRequired.
    optional = {name for name, hint in hints.items() if getattr(get_origin(hint), "_name", "") == "NotRequired"}
    return set(kind.__required_keys__) - optional


def _bound(hint: Any, meaning: dict[Any, Any]) -> Any:
    """Return the hint with the type variables replaced by what they stand for."""
    if isinstance(hint, TypeVar):
        return meaning[hint]
    if not meaning or not getattr(hint, "__parameters__", ()):
        return hint
    return hint[tuple(meaning[variable] for variable in hint.__parameters__)]


def _words(kind: Any) -> str:
    return inspect.cleandoc(kind.__doc__).replace("\n", " ") if kind.__doc__ else ""
