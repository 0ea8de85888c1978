"""One lane's weight with many concurrent containers: never more reserved than the budget, no reservation lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import TypeVar
from uuid import uuid4

import pytest

from shared.clock import from_ms
from shared.errors import AddressBanned, ExchangeThrottled
from shared.exchange import lanes, weights
from shared.exchange.lanes import LaneLimiter, Reservation
from shared.exchange.server_clock import server_clock
from shared.models.egress_lane import EgressLane

_T = TypeVar("_T")

pytestmark = pytest.mark.usefixtures("aws")

MINUTE = datetime.fromisoformat("2026-01-01T00:01:00+00:00")
CAP = 1_440
CONTAINERS = 16


@pytest.fixture
def lane() -> str:
    return f"lane-{uuid4().hex[:8]}"


def concurrently(work: Callable[[int], _T]) -> list[_T]:
    with ThreadPoolExecutor(CONTAINERS) as threads:
        return list(threads.map(work, range(CONTAINERS)))


def used(lane: str) -> int:
    record = EgressLane.find(lane)
    assert record is not None
    return record.used_weight


def test_concurrent_reservations_never_exceed_the_budget(lane: str) -> None:
    def reserve_until_full(_: int) -> int:
        granted = 0
        while EgressLane.reserve(lane, minute=MINUTE, weight=25, cap=CAP, seen=0) is not None:
            granted += 1
        return granted

    granted = concurrently(reserve_until_full)

    assert sum(granted) == CAP // 25
    assert used(lane) == CAP // 25 * 25


def test_containers_that_begin_a_minute_concurrently_lose_no_reservation(lane: str) -> None:
    EgressLane.reserve(lane, minute=MINUTE, weight=1_000, cap=CAP, seen=0)
    following = MINUTE + timedelta(minutes=1)

    concurrently(lambda _: EgressLane.reserve(lane, minute=following, weight=10, cap=CAP, seen=0))

    assert used(lane) == CONTAINERS * 10


def test_weight_counted_by_the_exchange_reduces_the_budget(lane: str) -> None:
    EgressLane.reserve(lane, minute=MINUTE, weight=25, cap=CAP, seen=0)

    record = EgressLane.reserve(lane, minute=MINUTE, weight=25, cap=CAP, seen=1_000)

    assert record is not None
    assert record.used_weight == 1_025
    assert EgressLane.reserve(lane, minute=MINUTE, weight=25, cap=CAP, seen=1_420) is None
    assert used(lane) == 1_025


def test_containers_that_saw_different_counts_keep_the_highest_and_every_reservation(lane: str) -> None:
    concurrently(lambda number: EgressLane.reserve(lane, minute=MINUTE, weight=10, cap=CAP, seen=number * 10))

    assert (CONTAINERS - 1) * 10 + 10 <= used(lane) <= (CONTAINERS - 1) * 10 + CONTAINERS * 10


def test_old_minute_does_not_come_back(lane: str) -> None:
    EgressLane.reserve(lane, minute=MINUTE, weight=25, cap=CAP, seen=0)

    late = EgressLane.reserve(lane, minute=MINUTE - timedelta(minutes=1), weight=25, cap=CAP, seen=0)

    assert late is None
    assert used(lane) == 25


def test_released_reservation_is_available_again(lane: str) -> None:
    EgressLane.reserve(lane, minute=MINUTE, weight=CAP, cap=CAP, seen=0)

    EgressLane.release(lane, minute=MINUTE, weight=CAP)

    assert EgressLane.reserve(lane, minute=MINUTE, weight=25, cap=CAP, seen=0) is not None


# -- the limiter of one container --------------------------------------------------------------------------------------


def reserve(limiter: LaneLimiter) -> Reservation:
    return asyncio.run(limiter.reserve(weights.ENTRY))


def test_limiters_of_all_containers_share_one_budget(
    lane: str, settings_from: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(weights, "WINDOW_MS", 24 * 3600 * 1000)
    settings_from(LANE_WEIGHT_PER_MINUTE="500")

    def container(_: int) -> int:
        limiter, granted = LaneLimiter(lane), 0
        try:
            while True:
                reserve(limiter)
                granted += 1
        except ExchangeThrottled:
            return granted

    assert sum(concurrently(container)) == 300 // weights.ENTRY


def test_lanes_own_limit_overrides_the_setting(lane: str, monkeypatch: pytest.MonkeyPatch) -> None:
    EgressLane(lane=lane, weight_limit=weights.ENTRY).save()  # of which entries may use a part

    with pytest.raises(ExchangeThrottled) as refused:
        reserve(LaneLimiter(lane))

    assert 0 < refused.value.retry_after_s < 61


def test_ban_of_one_container_stops_the_requests_of_the_others(lane: str) -> None:
    banned, other = LaneLimiter(lane), LaneLimiter(lane)

    async def learn() -> None:
        banned.record_refusal(AddressBanned(retry_after_s=30))
        await banned.flush()
        await other.refresh()

    asyncio.run(learn())

    for reads in (True, False):
        with pytest.raises(AddressBanned) as refused:
            other.check(reads=reads)
        assert 25 < refused.value.retry_after_s <= 30
    with pytest.raises(AddressBanned):
        reserve(LaneLimiter(lane))


def test_throttling_of_one_container_pauses_the_others_entries_and_no_exit(lane: str) -> None:
    throttled, other = LaneLimiter(lane), LaneLimiter(lane)

    async def learn() -> None:
        throttled.record_refusal(ExchangeThrottled(retry_after_s=30))
        await throttled.flush()
        await other.refresh()
        other.check(reads=True)
        other.check(reads=False)

    asyncio.run(learn())

    with pytest.raises(ExchangeThrottled) as refused:
        reserve(other)
    assert 25 < refused.value.retry_after_s <= 30


def test_ban_that_an_operator_has_lifted_is_over(lane: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes, "FRESH_FOR_MS", 0)
    limiter = LaneLimiter(lane)

    async def learn() -> None:
        limiter.record_refusal(AddressBanned(retry_after_s=3_000))
        await limiter.flush()
        EgressLane(lane).update(actions=[EgressLane.banned_until.remove()])
        await limiter.refresh()
        limiter.check(reads=True)
        await limiter.flush()

    asyncio.run(learn())


def test_what_the_exchange_counts_reaches_the_others_without_an_entry(
    lane: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(weights, "WINDOW_MS", 24 * 3600 * 1000)
    limiter = LaneLimiter(lane)

    async def look_and_end(count: int) -> None:
        limiter.record_usage(count, asked_at_ms=server_clock.now_ms())
        await limiter.flush()

    asyncio.run(look_and_end(20))
    assert EgressLane.find(lane) is None  # too little to be worth a write

    asyncio.run(look_and_end(1_430))

    assert used(lane) == 1_430
    with pytest.raises(ExchangeThrottled):
        reserve(LaneLimiter(lane))


def test_count_of_the_previous_minute_is_ignored(lane: str, monkeypatch: pytest.MonkeyPatch) -> None:
    limiter, begun = LaneLimiter(lane), from_ms(server_clock.now_ms())
    turn_ms = server_clock.now_ms() + 1_000_000_000
    turn_ms -= turn_ms % weights.WINDOW_MS
    monkeypatch.setattr(server_clock, "offset_ms", turn_ms + 200 - int(begun.timestamp() * 1000))

    limiter.record_usage(2_300, asked_at_ms=turn_ms - 100)

    assert not limiter.is_short()
    assert reserve(limiter).weight == weights.ENTRY
