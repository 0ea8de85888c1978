"""What a process knows of its lane's minute: never a count of the minute before, and nothing used is taken for free."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shared.clock import from_ms
from shared.exchange import weights
from shared.exchange.lane_weight import LaneWeight
from shared.exchange.server_clock import ServerClock
from shared.models.egress_lane import EgressLane

MINUTE_MS = weights.WINDOW_MS
START_MS = 1_800_000_000_000 - 1_800_000_000_000 % MINUTE_MS
EDGE_MS = 1_000

uses = st.lists(st.tuples(st.integers(0, 2 * MINUTE_MS), st.integers(1, 60)), max_size=40).map(sorted)
at_times = st.integers(0, 2 * MINUTE_MS) | st.integers(MINUTE_MS - 2 * EDGE_MS, MINUTE_MS + EDGE_MS)
uses_of_three = st.lists(st.tuples(at_times, st.integers(1, 60), st.integers(0, 2)), max_size=40).map(sorted)
"""Each with the process that sends the request."""


class Exchange:
    """Counts weight by the minutes of its clock, which ours differs from by some milliseconds."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, ahead_ms: int = 0) -> None:
        self._monkeypatch, self._ahead_ms = monkeypatch, ahead_ms
        self.counts: dict[int, int] = {}

    def use(self, at_ms: int, weight: int, known: LaneWeight, *, took_ms: int = 0) -> int:
        """Send a request at a time since the start, by our clock; return the count that its answer carries."""
        minute = (at_ms + self._ahead_ms) // MINUTE_MS
        self.counts[minute] = count = self.counts.get(minute, 0) + weight
        self.go_to(at_ms + took_ms)
        known.record_usage(count, asked_at_ms=START_MS + at_ms)
        return count

    def go_to(self, at_ms: int) -> None:
        self._monkeypatch.setattr(ServerClock, "now_ms", lambda _: START_MS + at_ms)


@given(uses, st.integers(0, 400))
def test_count_is_never_higher_than_the_exchanges(used: Sequence[tuple[int, int]], took_ms: int) -> None:
    with pytest.MonkeyPatch.context() as monkeypatch:
        exchange, known = Exchange(monkeypatch), LaneWeight()
        for at_ms, weight in used:
            exchange.use(at_ms, weight, known, took_ms=took_ms)
            assert known.seen <= exchange.counts.get((at_ms + took_ms) // MINUTE_MS, 0)


@given(uses, st.integers(-300, 300))
def test_clock_that_is_wrong_makes_a_count_too_high_by_no_more_than_half_of_the_last_one(
    used: Sequence[tuple[int, int]], ahead_ms: int
) -> None:
    with pytest.MonkeyPatch.context() as monkeypatch:
        exchange, known = Exchange(monkeypatch, ahead_ms), LaneWeight()
        for at_ms, weight in used:
            exchange.use(at_ms, weight, known)
            minute = at_ms // MINUTE_MS
            present, before = exchange.counts.get(minute, 0), exchange.counts.get(minute - 1, 0)
            assert known.seen <= max(present, exchange.counts.get(minute + 1, 0), before // 2)


@given(uses_of_three, st.integers(-300, 300), st.integers(0, 400))
@example([(0, 60, 1), (1, 60, 1), (MINUTE_MS + 50, 1, 0)], -100, 0)
def test_first_seconds_count_is_never_higher_than_what_was_used_around_it(
    used: Sequence[tuple[int, int, int]], ahead_ms: int, took_ms: int
) -> None:
    with pytest.MonkeyPatch.context() as monkeypatch:
        exchange, processes = Exchange(monkeypatch, ahead_ms), [LaneWeight() for _ in range(3)]
        for at_ms, weight, process in [one for one in used if one[0] < MINUTE_MS + EDGE_MS - took_ms]:
            exchange.use(at_ms, weight, processes[process], took_ms=took_ms)

        exchange.go_to(MINUTE_MS + EDGE_MS)

        around = sum(weight for at_ms, weight, _ in used if abs(at_ms - MINUTE_MS) <= EDGE_MS)
        for known in processes:
            assert known.seen <= max(exchange.counts.get(1, 0), exchange.counts.get(0, 0) // 2, around)


@given(st.lists(st.integers(1, 60), min_size=1, max_size=30))
def test_burst_at_a_minutes_start_is_counted_as_it_goes(used: Sequence[int]) -> None:
    with pytest.MonkeyPatch.context() as monkeypatch:
        exchange, known = Exchange(monkeypatch), LaneWeight()
        exchange.use(MINUTE_MS - 1, 120, known)
        for number, weight in enumerate(used):
            count = exchange.use(MINUTE_MS + 10 * number, weight, known)
            assert known.seen == count


@given(uses)
def test_what_was_used_is_counted_or_known_to_be_uncounted(used: Sequence[tuple[int, int]]) -> None:
    with pytest.MonkeyPatch.context() as monkeypatch:
        exchange, known = Exchange(monkeypatch), LaneWeight()
        for at_ms, weight in used:
            count = exchange.use(at_ms, weight, known)
            assert known.seen == count or 0 < known.uncounted_for_s() <= EDGE_MS / 1000


def test_count_far_below_the_last_minutes_is_believed_in_the_first_second(monkeypatch: pytest.MonkeyPatch) -> None:
    exchange, known = Exchange(monkeypatch), LaneWeight()
    exchange.use(MINUTE_MS - 500, 840, known)

    exchange.use(MINUTE_MS + 100, 70, known)

    assert (known.seen, known.uncounted_for_s()) == (70, 0)


def test_other_containers_count_of_the_last_minute_tells_the_minutes_apart_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    exchange, known = Exchange(monkeypatch), LaneWeight()
    exchange.go_to(0)
    known.update_from(EgressLane("lane-1", minute=from_ms(START_MS), used_weight=840))

    exchange.use(MINUTE_MS + 100, 70, known)

    assert known.seen == 70


@pytest.mark.parametrize("before", [0, 100, 139])
def test_count_that_may_be_the_last_minutes_waits_for_the_second_to_be_over(
    monkeypatch: pytest.MonkeyPatch, before: int
) -> None:
    exchange, known = Exchange(monkeypatch), LaneWeight()
    exchange.use(MINUTE_MS - 500, before, known)

    exchange.use(MINUTE_MS + 100, 70, known)

    assert (known.seen, known.uncounted_for_s()) == (0, 0.9)
    exchange.go_to(MINUTE_MS + EDGE_MS)
    assert (known.seen, known.uncounted_for_s()) == (70, 0)


def test_count_that_would_be_the_last_minutes_counts_by_what_it_has_grown(monkeypatch: pytest.MonkeyPatch) -> None:
    exchange, known = Exchange(monkeypatch, ahead_ms=-300), LaneWeight()  # its minute is not over yet
    exchange.use(MINUTE_MS - 500, 2_000, known)

    exchange.use(MINUTE_MS + 100, 70, known)

    exchange.go_to(MINUTE_MS + EDGE_MS)
    assert known.seen == 70


def test_last_minutes_count_that_others_have_raised_unheard_is_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    exchange, known, another = Exchange(monkeypatch, ahead_ms=-100), LaneWeight(), LaneWeight()
    exchange.use(MINUTE_MS - 30_000, 100, known)
    exchange.use(MINUTE_MS - 20_000, 1_800, another)

    exchange.use(MINUTE_MS + 50, 10, known)

    exchange.go_to(MINUTE_MS + EDGE_MS)
    assert (known.seen, known.is_worth_publishing()) == (0, False)


@pytest.mark.parametrize("ahead_ms", [0, -70, -300], ids=["right", "minute begins between", "last minute goes on"])
def test_first_seconds_counts_tell_what_was_used_between_them(monkeypatch: pytest.MonkeyPatch, ahead_ms: int) -> None:
    exchange, known, another = Exchange(monkeypatch, ahead_ms), LaneWeight(), LaneWeight()
    exchange.use(MINUTE_MS - 20_000, 1_800, another)

    for at_ms in (50, 100, 150):
        exchange.use(MINUTE_MS + at_ms, 20, known)

    exchange.go_to(MINUTE_MS + EDGE_MS)
    assert known.seen == 40


def test_count_that_was_overtaken_at_a_minutes_start_is_not_taken_for_this_minutes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    exchange, known = Exchange(monkeypatch, ahead_ms=-100), LaneWeight()
    for came_at_ms, asked_at_ms, count in ((50, 20, 1_890), (110, 100, 5), (120, 60, 1_895)):
        exchange.go_to(MINUTE_MS + came_at_ms)
        known.record_usage(count, asked_at_ms=START_MS + MINUTE_MS + asked_at_ms)

    exchange.go_to(MINUTE_MS + EDGE_MS)
    assert known.seen == 5


def test_records_count_of_the_last_minute_outlives_the_hold_that_begins_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    exchange, known = Exchange(monkeypatch), LaneWeight()
    known.update_from(EgressLane("lane-1", minute=from_ms(START_MS), used_weight=840))
    known.update_from(EgressLane("lane-1", minute=from_ms(START_MS + MINUTE_MS), used_weight=0))

    exchange.use(MINUTE_MS + 100, 70, known)

    assert known.seen == 70


def test_answer_replaces_what_the_first_second_has_left_uncertain(monkeypatch: pytest.MonkeyPatch) -> None:
    exchange, known = Exchange(monkeypatch, ahead_ms=-300), LaneWeight()
    exchange.use(MINUTE_MS + 100, 70, known)

    exchange.use(MINUTE_MS + EDGE_MS, 5, known)

    assert known.seen == 5


def test_answer_to_a_request_of_the_last_minute_is_never_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    exchange, known = Exchange(monkeypatch), LaneWeight()
    exchange.use(MINUTE_MS - 5_000, 840, known)

    exchange.go_to(MINUTE_MS + 100)
    known.record_usage(70, asked_at_ms=START_MS + MINUTE_MS - 10)

    assert known.seen == 0
