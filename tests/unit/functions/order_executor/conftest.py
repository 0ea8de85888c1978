"""The executor on a fake account, for each test anew."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.unit.functions.order_executor.harness import Harness, harness


@pytest.fixture
def executor(tables: object) -> Iterator[Harness]:
    """Return the order executor on a fake account and simulated time."""
    with harness() as made:
        yield made
