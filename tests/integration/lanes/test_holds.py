"""One lane's weight with many concurrent containers: never more held than the budget, no hold lost."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TypeVar
from uuid import uuid4

import pytest

from shared.clock import from_ms
from shared.errors import AddressBanned, ExchangeThrottled
from shared.exchange import lanes, weights
from shared.exchange.gate import Budget, Request, Work
from shared.exchange.lane_weight import present_minute
from shared.exchange.lanes import Hold, LaneLimiter
from shared.exchange.server_clock import server_clock
from shared.models.egress_lane import EgressLane, Minute

_T = TypeVar("_T")

pytestmark = pytest.mark.usefixtures("aws")

MINUTE = Minute(datetime.fromisoformat("2026-01-01T00:01:00+00:00"), timedelta(minutes=1))
CAP = 1_440
CONTAINERS = 16


@pytest.fixture
def lane() -> str:
    return f"lane-{uuid4().hex[:8]}"


def concurrently(work: Callable[[int], _T]) -> list[_T]:
    with ThreadPoolExecutor(CONTAINERS) as threads:
        return list(threads.map(work, range(CONTAINERS)))


def held(lane: str) -> int:
    """Return what is held in the record's minute and in the one before."""
    record = EgressLane.find(lane)
    assert record is not None
    return record.held_weight + record.held_before


def used(lane: str) -> int:
    record = EgressLane.find(lane)
    assert record is not None
    return record.used_weight


def hold(lane: str, weight: int, *, minute: Minute = MINUTE, seen: int = 0, cap: int = CAP) -> EgressLane | None:
    return EgressLane.hold(lane, minute=minute, weight=weight, cap=cap, seen=seen)


def following(minute: Minute) -> Minute:
    return Minute(minute.after, minute.length)


def test_concurrent_holds_never_exceed_the_budget(lane: str) -> None:
    def hold_until_full(_: int) -> int:
        granted = 0
        while hold(lane, 25) is not None:
            granted += 1
        return granted

    granted = concurrently(hold_until_full)

    assert sum(granted) == CAP // 25
    assert held(lane) == CAP // 25 * 25


def test_containers_that_begin_a_minute_concurrently_lose_no_hold(lane: str) -> None:
    hold(lane, 1_000)

    concurrently(lambda _: hold(lane, 10, minute=following(MINUTE)))

    assert held(lane) == 1_000 + CONTAINERS * 10


def test_weight_counted_by_the_exchange_reduces_the_budget(lane: str) -> None:
    hold(lane, 25)

    assert hold(lane, 25, seen=CAP - 50) is not None
    assert hold(lane, 25, seen=CAP - 50) is None
    assert held(lane) == 50


def test_count_that_another_container_has_published_reduces_the_budget(lane: str) -> None:
    EgressLane.raise_to(lane, minute=MINUTE, seen=CAP - 30)

    assert hold(lane, 40, seen=100) is None
    assert hold(lane, 30, seen=100) is not None
    assert held(lane) == 30


def test_what_is_held_in_a_minute_is_held_in_the_next_and_not_in_the_one_after(lane: str) -> None:
    next_minute = following(MINUTE)
    hold(lane, CAP - 50)

    assert hold(lane, 60, minute=next_minute) is None
    assert hold(lane, 50, minute=next_minute) is not None
    assert hold(lane, CAP - 50, minute=following(next_minute)) is not None
    assert held(lane) == CAP


def test_old_minute_does_not_come_back(lane: str) -> None:
    hold(lane, 25, minute=following(MINUTE))

    assert hold(lane, 25) is None
    assert held(lane) == 25


def test_released_weight_is_available_again(lane: str) -> None:
    hold(lane, CAP)

    EgressLane.release(lane, minute=MINUTE, present=MINUTE, weight=CAP, seen=0)

    assert hold(lane, CAP) is not None


def test_release_publishes_what_was_used(lane: str) -> None:
    hold(lane, 100)

    EgressLane.release(lane, minute=MINUTE, present=MINUTE, weight=100, seen=90)

    assert hold(lane, CAP - 89) is None
    assert hold(lane, CAP - 90) is not None


def test_weight_that_was_held_in_the_minute_before_can_be_released(lane: str) -> None:
    hold(lane, CAP)
    EgressLane.raise_to(lane, minute=following(MINUTE), seen=10)

    EgressLane.release(lane, minute=MINUTE, present=MINUTE, weight=CAP, seen=0)

    assert held(lane) == 0


def test_release_in_the_next_minute_publishes_what_that_minute_has_used(lane: str) -> None:
    hold(lane, 100)
    hold(lane, 10, minute=following(MINUTE))

    EgressLane.release(lane, minute=MINUTE, present=following(MINUTE), weight=100, seen=90)

    assert (held(lane), used(lane)) == (10, 90)


def test_release_never_publishes_one_minutes_count_as_anothers(lane: str) -> None:
    hold(lane, 100, seen=5)

    EgressLane.release(lane, minute=MINUTE, present=following(MINUTE), weight=100, seen=90)

    assert (held(lane), used(lane)) == (0, 5)


def test_concurrent_holds_and_releases_leave_nothing_held(lane: str) -> None:
    def work(number: int) -> None:
        for turn in range(5):
            if hold(lane, 25, seen=number * turn) is not None:
                EgressLane.release(lane, minute=MINUTE, present=MINUTE, weight=25, seen=number * turn)

    concurrently(work)

    assert held(lane) == 0


# -- the limiter of one container --------------------------------------------------------------------------------------


def admit(limiter: LaneLimiter, work: Work = Work.ENTRY, weight: int = weights.ENTRY_HOLD) -> Hold:
    return asyncio.run(limiter.admit(Request(work, weight)))


def test_limiters_of_all_containers_share_one_budget(
    lane: str, settings_from: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(weights, "WINDOW_MS", 24 * 3600 * 1000)
    settings_from(LANE_WEIGHT_PER_MINUTE="500")

    def container(_: int) -> int:
        limiter, granted = LaneLimiter(lane), 0
        try:
            while True:
                admit(limiter)
                granted += 1
        except ExchangeThrottled:
            return granted

    assert sum(concurrently(container)) == Budget(500, used=0).cap(Work.ENTRY) // weights.ENTRY_HOLD


def test_entry_waits_in_its_worker_for_another_to_be_protected(lane: str) -> None:
    EgressLane(lane=lane, weight_limit=weights.ENTRY_HOLD * 10 // 9 + 1).save()  # room for one

    async def two_entries() -> None:
        limiter = LaneLimiter(lane)
        first = await limiter.admit(Request(Work.ENTRY, weights.ENTRY_HOLD))
        second = asyncio.create_task(limiter.admit(Request(Work.ENTRY, weights.ENTRY_HOLD), patience_s=10))
        await asyncio.sleep(0)
        first.release()
        await second
        await limiter.flush()

    asyncio.run(two_entries())

    assert held(lane) == weights.ENTRY_HOLD


def test_entry_that_others_weight_keeps_waiting_comes_again_within_seconds(lane: str) -> None:
    EgressLane(lane=lane, weight_limit=weights.ENTRY_HOLD * 10 // 9 + 1).save()
    admit(LaneLimiter(lane))

    with pytest.raises(ExchangeThrottled) as refused:
        admit(LaneLimiter(lane))

    assert refused.value.retry_after_s <= 2


@pytest.mark.parametrize(("work", "goes"), [(Work.CLOSE, True), (Work.ENTRY, False), (Work.LOOK, False)])
def test_close_fits_where_entries_and_looks_have_to_wait(
    lane: str, work: Work, goes: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(weights, "WINDOW_MS", 24 * 3600 * 1000)
    EgressLane.raise_to(lane, minute=present_minute(), seen=Budget(2_400, used=0).cap(Work.ENTRY))

    if goes:
        assert admit(LaneLimiter(lane), work, 30).weight == 30
    else:
        with pytest.raises(ExchangeThrottled):
            admit(LaneLimiter(lane), work, 30)


def test_of_closes_that_wait_the_largest_goes_first(lane: str) -> None:
    EgressLane(lane=lane, weight_limit=110).save()  # room for one close
    order: list[int] = []

    async def close(limiter: LaneLimiter, notional: int) -> None:
        admitted = await limiter.admit(Request(Work.CLOSE, 60, Decimal(notional)), patience_s=30)
        order.append(notional)
        admitted.release()

    async def closes() -> None:
        limiter = LaneLimiter(lane)
        first = await limiter.admit(Request(Work.CLOSE, 60))
        waiting = [asyncio.create_task(close(limiter, notional)) for notional in (100, 30_000, 2_000)]
        await asyncio.sleep(0)
        first.release()
        await asyncio.gather(*waiting)
        await limiter.flush()

    asyncio.run(closes())

    assert order == [30_000, 2_000, 100]


def test_hold_that_is_released_twice_is_given_back_once(lane: str) -> None:
    async def work() -> None:
        limiter = LaneLimiter(lane)
        first, other = await limiter.admit(Request(Work.LOOK, 10)), await limiter.admit(Request(Work.LOOK, 10))
        first.release()
        first.release()
        await limiter.flush()
        assert other.weight == 10

    asyncio.run(work())

    assert held(lane) == 10


def test_lanes_own_limit_overrides_the_setting(lane: str, monkeypatch: pytest.MonkeyPatch) -> None:
    EgressLane(lane=lane, weight_limit=weights.ENTRY_HOLD).save()  # of which entries may use a part

    with pytest.raises(ExchangeThrottled) as refused:
        admit(LaneLimiter(lane))

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
        admit(LaneLimiter(lane))


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
        admit(other)
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

    asyncio.run(look_and_end(2_150))

    assert used(lane) == 2_150
    with pytest.raises(ExchangeThrottled):
        admit(LaneLimiter(lane))


def test_count_of_the_previous_minute_is_ignored(lane: str, monkeypatch: pytest.MonkeyPatch) -> None:
    limiter, begun = LaneLimiter(lane), from_ms(server_clock.now_ms())
    turn_ms = server_clock.now_ms() + 1_000_000_000
    turn_ms -= turn_ms % weights.WINDOW_MS
    monkeypatch.setattr(server_clock, "offset_ms", turn_ms + 200 - int(begun.timestamp() * 1000))

    limiter.record_usage(2_300, asked_at_ms=turn_ms - 100)

    assert limiter.weight.budget().used == 0
    assert admit(limiter).weight == weights.ENTRY_HOLD


def test_weight_that_was_used_in_a_minutes_first_second_stays_held_until_it_can_be_counted(
    lane: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The limiter has heard nothing of the minute before, so that its count and this minute's cannot be told apart."""
    turn_ms = server_clock.now_ms() + 1_000_000_000
    turn_ms -= turn_ms % weights.WINDOW_MS
    monkeypatch.setattr(server_clock, "offset_ms", turn_ms + 300 - int(time.time() * 1000))
    held_at_ms: list[int] = []

    async def work() -> None:
        limiter = LaneLimiter(lane)
        first = await limiter.admit(Request(Work.ENTRY, 200))
        limiter.record_usage(150, asked_at_ms=server_clock.now_ms())
        first.release()
        while held(lane):
            held_at_ms.append(server_clock.now_ms() - turn_ms)
            await asyncio.sleep(0.05)
        await limiter.flush()

    asyncio.run(work())

    assert held_at_ms
    assert max(held_at_ms) > 900
