"""A round takes every shard once, whatever its length, and its load on an address is known before it runs."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from shared.clock import from_iso
from shared.models.exchange_key import LISTED_SHARDS
from shared.rounds import DAY_MINUTES, RUN_MINUTES, Round

MIDNIGHT = from_iso("2026-01-01T00:05:00Z")


def runs_from(start: datetime, minutes: int) -> list[range]:
    steps = range(0, minutes, RUN_MINUTES)
    return [Round(minutes).shards_at(start + timedelta(minutes=step)) for step in steps]


@pytest.mark.parametrize("minutes", [15, 60, 120, 360, DAY_MINUTES])
@pytest.mark.parametrize("hours", [0, 2, 11])
def test_every_shard_comes_once_wherever_a_round_begins(minutes: int, hours: int) -> None:
    shards = [shard for run in runs_from(MIDNIGHT + timedelta(hours=hours), minutes) for shard in run]
    assert sorted(shards) == list(range(LISTED_SHARDS))


def test_runs_of_one_quarter_of_an_hour_are_the_same_run() -> None:
    first, last = MIDNIGHT.replace(minute=0), MIDNIGHT.replace(minute=14, second=59)
    assert Round(120).shards_at(first) == Round(120).shards_at(last)


@pytest.mark.parametrize("minutes", [0, 20, 100, 105, 2 * DAY_MINUTES])
def test_round_that_would_leave_shards_out_is_refused(minutes: int) -> None:
    with pytest.raises((ValueError, ZeroDivisionError)):
        Round(minutes)


def test_ten_thousand_balances_fit_an_address_within_two_hours() -> None:
    load = Round(120).load(keys=10_000, weight=5, limit=2400)
    assert load.keys_per_run == 1250
    assert load.weight_per_minute == pytest.approx(446.4, abs=0.1)
    assert load.share_pct < 20


def test_most_keys_of_a_share_need_no_more_than_the_share() -> None:
    most = Round(120).most_keys(weight=5, limit=2400, share_pct=40)
    assert Round(120).load(keys=most, weight=5, limit=2400).share_pct <= 40
    assert Round(120).load(keys=most + 8, weight=5, limit=2400).share_pct > 40
