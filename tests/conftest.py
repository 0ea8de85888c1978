"""What folders of tests share: the deployed stack, one for the whole run, on ports of its own beside any `make run`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from local.stack.places import Places, Ports
from local.stack.running import LocalStack
from tests.system.stack_client import Stack

_ON_THE_STACK = ("tests/contract/", "tests/system/")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run what needs no stack first, so that none stands beside it; last of all what looks back at the whole run.

    The contract's tests come after the other tests of the stack, because they leave a lot of data behind.
    """
    for item in items:
        if any(folder in item.path.as_posix() for folder in _ON_THE_STACK):
            item.add_marker(pytest.mark.system)
            # The first test of the session waits for the stack.
            item.add_marker(pytest.mark.timeout(600))
    items.sort(key=_place)


def _place(item: pytest.Item) -> tuple[bool, bool, bool]:
    def is_marked(name: str) -> bool:
        return item.get_closest_marker(name) is not None

    return is_marked("system"), "tests/contract/" in item.path.as_posix(), is_marked("looks_back")


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """Return the stack, started on first use and stopped after the last test."""
    local_stack = LocalStack(Places(Ports.find_free()), followers=3, report=print)
    try:
        running = local_stack.start()
        yield Stack(running, running.session())
    finally:
        local_stack.stop()
