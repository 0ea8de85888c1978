"""A strategy of its own for each test, with as many followers as the test wants."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.integration.embedded_aws import EmbeddedAws
from tests.integration.road.following import Following, store_strategy


@pytest.fixture
def following(aws: EmbeddedAws) -> Callable[[int], Following]:
    """Return a function that stores a strategy with followers."""
    return store_strategy
