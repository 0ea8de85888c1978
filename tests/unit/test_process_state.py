"""What a process keeps is registered: found by reading the code, and as new after a reset."""

from __future__ import annotations

import ast
import asyncio
import importlib
import os
import pkgutil
import re
import threading
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, fields, is_dataclass
from datetime import date, timedelta
from decimal import Context, Decimal
from email.policy import Policy
from enum import Enum
from pathlib import Path
from types import MappingProxyType, ModuleType, UnionType
from typing import Any, NewType, ParamSpec, TypeVar
from uuid import UUID
from weakref import WeakKeyDictionary

import pytest
from aws_lambda_powertools import Logger
from pynamodb.expressions.update import Action
from urllib3 import Timeout

import functions
import shared
from shared import process_state
from shared.api import maintenance
from shared.api.admin_api import AdminApi
from shared.config import settings
from shared.exchange import transport
from shared.exchange.server_clock import ServerClock, server_clock
from shared.models.strategy import Strategy
from shared.worker import run_async
from tests.environment import environment

_ROOT = Path(shared.__file__).parents[1]
_CONSTANT = (
    *(str, bytes, int, float, complex, type(None), Decimal, date, timedelta, UUID, Enum, Path, range, re.Pattern),
    *(type, UnionType, TypeVar, ParamSpec, NewType, Context, Action, Policy),
    # Told apart per task, held for moments, or made of what the code declares.
    *(ContextVar, type(threading.Lock()), Logger, AdminApi, Timeout),
)
_CONTAINER = (dict, list, set)
_MUTATORS = {
    "add",
    "append",
    "clear",
    "discard",
    "extend",
    "insert",
    "pop",
    "popitem",
    "remove",
    "setdefault",
    "update",
}


def modules() -> Iterator[ModuleType]:
    for package in (shared, functions):
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            yield importlib.import_module(found.name)


@dataclass
class Reading:
    """What the text of a module says of the names at its top."""

    assigned: set[str]
    changed: set[str]
    """Written to by a function: a container's content, or the name itself (`global`)."""
    reset: set[str]


def read(text: str) -> Reading:
    tree = ast.parse(text)
    reading = Reading(set(), set(), set())
    for statement in tree.body:
        reading.assigned.update(_assigned(statement))
        if isinstance(statement, ast.Expr) and _is_on_reset(statement.value):
            reading.reset |= _names(statement.value)
        if isinstance(statement, ast.FunctionDef) and any(map(_is_on_reset, statement.decorator_list)):
            reading.reset |= _names(statement)
    # `on_reset(_close_runner)`: what that function names.
    for statement in tree.body:
        if isinstance(statement, ast.FunctionDef) and statement.name in reading.reset:
            reading.reset |= _names(statement)
    for node in ast.walk(tree):
        reading.changed.update(_changed(node))
    return reading


def _changed(node: ast.AST) -> list[str]:
    match node:
        case ast.Global(names=names):
            return names
        case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr=attr)) if attr in _MUTATORS:
            return [name]
        case ast.Subscript(value=ast.Name(id=name), ctx=ast.Store() | ast.Del()):
            return [name]
        case ast.Attribute(value=ast.Name(id=name), ctx=ast.Store() | ast.Del()):
            return [name]
    return []


def _assigned(statement: ast.stmt) -> Iterator[str]:
    targets = statement.targets if isinstance(statement, ast.Assign) else []
    if isinstance(statement, ast.AnnAssign):
        targets = [statement.target]
    return (target.id for target in targets if isinstance(target, ast.Name))


def _is_on_reset(node: ast.expr) -> bool:
    called = node.func if isinstance(node, ast.Call) else node
    return isinstance(called, ast.Name) and called.id == "on_reset"


def _names(node: ast.AST) -> set[str]:
    return {one.id for one in ast.walk(node) if isinstance(one, ast.Name)}


def is_constant(value: object) -> bool:
    """Return whether nothing can change the value."""
    if isinstance(value, _CONSTANT) or callable(value):
        return True
    if isinstance(value, tuple | frozenset):
        return all(map(is_constant, value))
    if isinstance(value, MappingProxyType | dict):
        return all(map(is_constant, value.values()))
    if is_dataclass(value) and not isinstance(value, type):
        frozen: bool = type(value).__dataclass_params__.frozen  # type: ignore[attr-defined]
        return frozen and all(is_constant(getattr(value, field.name)) for field in fields(value))
    return type(value).__module__ == "typing"


def unregistered(text: str, values: Mapping[str, object]) -> list[str]:
    """Return the names of a module that keep something which no reset drops."""
    reading = read(text)
    kept = {
        name
        for name in reading.assigned
        if name in values and not is_constant(values[name]) and not isinstance(values[name], _CONTAINER)
    }
    # A container that no function writes to is a table of constants.
    kept |= {name for name in reading.changed & reading.assigned if name != "__all__"}
    return sorted(kept - reading.reset)


def test_whatever_a_module_keeps_is_registered() -> None:
    found = {
        module.__name__: names
        for module in modules()
        if module is not process_state and (names := unregistered(Path(str(module.__file__)).read_text(), vars(module)))
    }
    assert found == {}


@pytest.mark.parametrize(
    "text",
    [
        "_kept = {}\ndef keep(key): _kept[key] = 1",
        "_kept = []\ndef keep(one): _kept.append(one)",
        "_kept = None\ndef keep(one):\n    global _kept\n    _kept = one",
        "import threading\n_kept = threading.local()",
        "import asyncio\n_kept = asyncio.Runner()",
    ],
)
def test_what_is_not_registered_is_found(text: str) -> None:
    values: dict[str, Any] = {}
    exec(text, values)  # noqa: S102 - the lines above
    assert unregistered(text, values) == ["_kept"]
    assert unregistered(text + "\non_reset(_kept.clear)", values) == []


@pytest.mark.parametrize(
    "text", ["_TABLE = {1: 2}\ndef read(key): return _TABLE[key]", "LIMIT = 5", "_SET = frozenset({1})"]
)
def test_constants_need_no_reset(text: str) -> None:
    values: dict[str, Any] = {}
    exec(text, values)  # noqa: S102 - the lines above
    assert unregistered(text, values) == []


def process_caches() -> dict[str, Any]:
    """Return every function whose results are kept for the process, by its full name."""
    return {
        f"{module.__name__}.{name}": value
        for module in modules()
        for name, value in vars(module).items()
        if getattr(value, "cache_clear", None) in process_state._resets and value.__module__ == module.__name__
    }


def containers() -> dict[str, Any]:
    """Return every container that functions write to, by its full name."""
    return {
        f"{module.__name__}.{name}": value
        for module in modules()
        for name in read(Path(str(module.__file__)).read_text()).reset
        if isinstance(value := vars(module).get(name), dict | list | set | WeakKeyDictionary)
    }


ARGUMENTS: dict[str, tuple[Any, ...]] = {
    "shared.api.identity._keys_of_pool": ("us-east-1_EXAMPLE",),
    "shared.billing.client._client": ("sk_test", ""),
    "shared.exchange.transport._template": (transport.FuturesClient,),
}


def test_process_in_which_everything_was_used_is_as_new_after_a_reset(admin_api: object) -> None:
    caches, kept = process_caches(), containers()
    assert {"shared.config.settings", "shared.models.base.connection", "shared.secrets._kms"} <= caches.keys()
    assert {"shared.secrets._opened", "shared.exchange.lanes._limiters"} <= kept.keys()

    for name, cache in caches.items():
        arguments = (settings().paging_key_id,) if name == "shared.api.paging._key" else ARGUMENTS.get(name, ())
        cache(*arguments)
        assert cache.cache_info().currsize > 0, name
    some_loop = asyncio.new_event_loop()
    for container in kept.values():
        if isinstance(container, set):
            container.add("one")
        elif isinstance(container, list):
            container.append("one")
        else:
            container[some_loop if isinstance(container, WeakKeyDictionary) else "one"] = "kept"
    session = run_async(transport.session())
    loop = run_async(_running_loop())
    server_clock.offset_ms, server_clock.measurements, server_clock.in_sync = 5, 2, False
    maintenance.refuse_during_maintenance()
    assert Strategy.find("none") is None

    process_state.reset()

    assert {name: cache.cache_info().currsize for name, cache in caches.items()} == dict.fromkeys(caches, 0)
    assert {name: len(container) for name, container in kept.items()} == dict.fromkeys(kept, 0)
    assert session.closed
    assert loop.is_closed()
    assert run_async(transport.session()) is not session
    assert server_clock == ServerClock()
    assert maintenance._cached is None
    assert Strategy._connection is None
    some_loop.close()


async def _running_loop() -> asyncio.AbstractEventLoop:
    return asyncio.get_running_loop()


def test_table_is_named_by_the_environment_that_it_is_used_in() -> None:
    with environment(TABLE_PREFIX="one-"):
        assert Strategy.Meta.table_name == "one-strategies"
        assert Strategy._get_connection().table_name == "one-strategies"
    with environment(TABLE_PREFIX="other-"):
        assert Strategy.Meta.table_name == "other-strategies"
        assert Strategy._get_connection().table_name == "other-strategies"


def test_environment_leaves_variables_as_they_were(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TABLE_PREFIX", "before-")
    monkeypatch.delenv("BROKER_PREFIX", raising=False)
    with environment(TABLE_PREFIX=None, BROKER_PREFIX="x-other"):
        assert (settings().table_prefix, settings().broker_prefix) == ("lockstep-", "x-other")
    assert settings().table_prefix == "before-"
    assert "BROKER_PREFIX" not in os.environ


def test_what_a_test_patches_is_undone_before_its_environment_ends(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = request.fixturenames
    assert names.index("_unit_environment") < names.index("monkeypatch")
