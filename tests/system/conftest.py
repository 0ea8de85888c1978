"""One stack for the session of tests, on ports of its own, beside any `make run`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from local.stack.places import Places, Ports
from local.stack.running import LocalStack
from tests.system.stack_client import Stack


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "tests/system/" in item.path.as_posix():
            item.add_marker(pytest.mark.system)
            # The first test of the session waits for the stack.
            item.add_marker(pytest.mark.timeout(600))


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """Return the stack, started on first use and stopped after the last test."""
    local_stack = LocalStack(Places(Ports.find_free()), followers=3, report=print)
    try:
        running = local_stack.start()
        yield Stack(running, running.session())
    finally:
        local_stack.stop()
