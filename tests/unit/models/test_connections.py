"""Threads of a new container that use a table for the first time concurrently."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from pynamodb.connection import TableConnection

from shared.models.base import connection
from shared.models.position_slot import PositionSlot

THREADS = 8


@pytest.fixture
def fresh_container(monkeypatch: pytest.MonkeyPatch) -> None:
    """Create connections slowly, so that the threads overlap."""
    usual = TableConnection.__init__

    def slow(self: TableConnection, *arguments: Any, **named: Any) -> None:
        time.sleep(0.02)
        usual(self, *arguments, **named)

    monkeypatch.setattr(TableConnection, "__init__", slow)


def test_threads_that_use_a_table_for_the_first_time_at_once_share_one_connection(fresh_container: None) -> None:
    together = Barrier(THREADS)

    def use(_: int) -> object:
        together.wait()
        return PositionSlot._get_connection().connection

    with ThreadPoolExecutor(THREADS) as pool:
        used = list(pool.map(use, range(THREADS)))

    assert all(one is connection() for one in used)
    # And nothing is left behind that later uses would stumble over.
    assert PositionSlot._get_connection().connection is connection()
