"""What folders of tests share: the deployed stack, one for the whole run, on ports of its own beside any `make run`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from typing import Any
from unittest import mock

import botocore.loaders
import botocore.session
import pytest
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadGroupScheduling

from local.deployment.releases import name_local_release
from local.stack.places import Places, Ports
from local.stack.running import LocalStack
from shared import process_state
from tests import alarms
from tests.environment import environment
from tests.system.rights import Rights
from tests.system.stack_client import Stack

_ON_THE_STACK = ("tests/contract/", "tests/system/")
_WITH_THE_BUILD = "tests/integration/stack/"


def pytest_configure() -> None:
    """Prepare a process of tests, whatever the developer's shell has set for AWS, and however busy the machine is."""
    for name in [name for name in os.environ if name.startswith(("AWS_", "TABLE_PREFIX"))]:
        del os.environ[name]
    process_state.reset()
    # Both measure time, which says nothing about the product.
    settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.load_profile("any machine")
    # Each test makes its clients anew. The JSON that botocore reads for one takes longer than most tests.
    mock.patch.object(botocore.session, "create_loader", cache(botocore.loaders.create_loader)).start()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put what needs the stack together, and last of it what looks back at the whole run.

    The rest keeps its random order, folder by folder, so that what a folder shares is started once.
    The contract's tests come after the other tests of the stack, because they leave a lot of data behind. Where tests
    run side by side, one process has the stack and begins with it; alone, the stack waits until the rest is done.
    """
    for item in items:
        path = item.path.as_posix()
        if any(folder in path for folder in _ON_THE_STACK):
            item.add_marker(pytest.mark.system)
            # The first test of the session waits for the stack.
            item.add_marker(pytest.mark.timeout(600))
        if item.get_closest_marker("system") or _WITH_THE_BUILD in path:
            # There is one stack, and one place where functions are built.
            item.add_marker(pytest.mark.xdist_group("stack"))
    folders = {item.path.parent: number for number, item in reversed(list(enumerate(items)))}
    items.sort(key=lambda item: (*_place(item), folders[item.path.parent]))
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: item.get_closest_marker("xdist_group") is None)


class _StackTogether(LoadGroupScheduling):  # type: ignore[misc]  # it comes without types
    """Gives one process all that needs the stack or its build.

    By path: the plugin writes its groups into the tests' names, and pytest lets nobody do that any more.
    """

    def _split_scope(self, nodeid: str) -> str:
        together = nodeid.startswith((*_ON_THE_STACK, _WITH_THE_BUILD))
        return "stack" if together else nodeid


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> _StackTogether:
    """Return who hands the tests out to the processes."""
    return _StackTogether(config, log)


def _place(item: pytest.Item) -> tuple[bool, bool, bool]:
    def is_marked(name: str) -> bool:
        return item.get_closest_marker(name) is not None

    return is_marked("system"), "tests/contract/" in item.path.as_posix(), is_marked("looks_back")


@pytest.fixture(autouse=True)
def _alarms(request: pytest.FixtureRequest) -> Iterator[None]:
    """Give the metrics of a test that is marked with an alarm to the alarm's rule."""
    marked = [
        (mark.args[0], expected)
        for kind, expected in (("rings", alarms.ALARM), ("feeds", alarms.OK))
        for mark in request.node.iter_markers(kind)
    ]
    if not marked:
        yield
        return
    with alarms.heard_metrics() as heard:
        yield
    for name, expected in marked:
        alarms.assert_state(name, expected, heard)


@pytest.fixture
def settings_from() -> Iterator[Callable[..., None]]:
    """Return a function that sets environment variables, and makes this process read them as a new one would."""
    with ExitStack() as environments:

        def apply(**variables: str) -> None:
            environments.enter_context(environment(**variables))

        yield apply


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """Return the stack, started on first use and stopped after the last test."""
    local_stack = LocalStack(Places(Ports.reserve_free()), followers=3, report=print, name_release=name_local_release)
    try:
        running = local_stack.start()
        yield Stack(running, running.session())
    finally:
        local_stack.stop()


@pytest.fixture(scope="session")
def rights(stack: Stack) -> Rights:
    """Return what the stack's functions use of their rights and lack."""
    return Rights(stack.running)


@pytest.fixture(autouse=True)
def every_function_has_its_rights(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test of the stack during which a function was denied an action, with the names of both."""
    uses_stack = request.node.get_closest_marker("system") is not None and "stack" in request.fixturenames
    rights: Rights | None = request.getfixturevalue("rights") if uses_stack else None
    yield
    if rights is not None:
        rights.assert_none_denied()
