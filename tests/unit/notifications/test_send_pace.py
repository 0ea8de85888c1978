"""Reservations keep their distance, over all workers."""

from __future__ import annotations

import itertools

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.models.send_pace import SendPace
from tests.unit.in_process_aws import Queues

EVERY_MS, AHEAD_MS = 40, 200


def reserve(now_ms: int, key: str = "bot") -> int | None:
    return SendPace.reserve(key, now_ms=now_ms, every_ms=EVERY_MS, ahead_ms=AHEAD_MS)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(arrivals=st.lists(st.integers(0, 400), min_size=1, max_size=20))
def test_no_two_reservations_are_closer_than_the_interval(tables: Queues, arrivals: list[int]) -> None:
    for record in SendPace.scan():
        record.delete()
    turns = [(now_ms, reserve(now_ms)) for now_ms in sorted(arrivals)]
    given_out = [turn for _, turn in turns if turn is not None]
    assert all(later - earlier >= EVERY_MS for earlier, later in itertools.pairwise(given_out))
    assert all(now_ms <= turn <= now_ms + AHEAD_MS for now_ms, turn in turns if turn is not None)


def test_reservation_too_far_ahead_is_refused(tables: Queues) -> None:
    assert [reserve(0) for _ in range(7)] == [0, 40, 80, 120, 160, 200, None]
    assert SendPace.wait_s("bot", now_ms=0) == 0.24
    assert reserve(40) == 240


def test_keys_are_independent(tables: Queues) -> None:
    assert (reserve(0, "chat#1"), reserve(0, "chat#2")) == (0, 0)


def test_pause_delays_reservations_and_a_shorter_one_changes_nothing(tables: Queues) -> None:
    SendPace.pause_until("bot", until_ms=5000, now_ms=0)
    SendPace.pause_until("bot", until_ms=1000, now_ms=0)
    assert reserve(0) is None
    assert reserve(4900) == 5000
