"""The world of the contract's tests: the deployed stack, and its data from the inside."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.contract.world import World, inside
from tests.system.stack_client import Stack


@pytest.fixture(scope="module")
def world(stack: Stack) -> Iterator[World]:
    """Return the stack's data, to be made like an example's."""
    with inside(stack):
        yield World(stack)
