"""What `make capacity` measures is what happens, and the page about scale says what the product weighs today."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from local.capacity import alerts, fairness
from local.capacity.__main__ import KEPT
from local.capacity.books import Depth
from local.capacity.figures import Figures
from local.capacity.ground import Ground, Group
from local.capacity.measuring import Measurement
from local.capacity.purposes import Purpose
from local.capacity.steps import weigh_steps
from local.faults.worlds import owner
from shared.models.trigger import Trigger
from shared.trading.sides import Side

HELD_S = 7_200
ENTRY_AT_MOST = 8


def ground_of(followers: int, *, lanes: int = 1, depth: Depth = Depth.DEEP) -> Ground:
    return Ground(lanes=lanes, groups=[Group("BTC/USDT", followers)], depth=depth)


def turn_of(followers: int, prepare: Callable[[Ground], None] = lambda _: None) -> tuple[Ground, Figures]:
    ground = ground_of(followers)

    async def play() -> Figures:
        prepare(ground)
        return await alerts.turn(ground, scenario="turn", second=20, held_s=HELD_S)

    return ground, ground.run(play)


def run(ground: Ground, scenario: Callable[[], Coroutine[Any, Any, Figures]]) -> Figures:
    return ground.run(scenario)


def test_each_step_weighs_what_the_page_about_scale_says() -> None:
    steps = weigh_steps()

    kept = json.loads(KEPT.read_text(encoding="utf-8"))
    assert steps.weights == kept["weights"], "measure them anew: make capacity ONLY=weights"
    assert steps.weights["entry"] <= ENTRY_AT_MOST


def test_small_turn_leaves_nobody_behind_or_without_a_stop() -> None:
    followers = 10
    _, figures = turn_of(followers)

    assert (figures.protected_in_60s, figures.closed_in_60s) == (followers, followers)
    assert (figures.naked_over_5s, figures.banned) == (0, False)
    assert figures.last_flat_s is not None
    assert set(figures.weight_by_class) >= {Purpose.ENTRY, Purpose.CLOSE, Purpose.BOOKING}


def test_weights_by_class_add_up_to_the_exchanges_own_count() -> None:
    ground = ground_of(5)

    async def one_minute() -> tuple[int, int]:
        began_ms = await ground.begin_at(1)
        await ground.alert(ground.strategies[0], Side.BUY)
        await asyncio.sleep(50)
        by_purpose = ground.measured.weight_by_purpose(from_ms=began_ms, until_ms=ground.measured.wall_ms())
        return sum(by_purpose.values()), ground.measured.counted(ground.lanes[0])

    weighed, counted = ground.run(one_minute)

    assert weighed == counted > 0


def test_position_without_a_stop_is_measured() -> None:
    ground = ground_of(3)

    async def remove_a_stop() -> Figures:
        await ground.open_positions()
        began_ms = await ground.begin_at(1)
        victim = ground.people[0]
        owner.cancel_everything(ground.measured, victim.account, victim.symbol)
        await asyncio.sleep(61)
        return Measurement(ground, began_ms).figures("quiet", held_s=0)

    figures = run(ground, remove_a_stop)

    assert figures.naked_over_5s == 1
    assert figures.longest_naked_s > 5


def test_ban_is_measured() -> None:
    def limit_far_below_what_we_know(ground: Ground) -> None:
        ground.exchange.controls.change_settings({"weight_limit_per_minute": 60, "ban_after_refusals": 3})

    _, figures = turn_of(10, limit_far_below_what_we_know)

    assert figures.banned
    assert figures.closed_in_60s < figures.followers


def test_thin_book_leaves_something_unfilled() -> None:
    def unfilled_pct(depth: Depth) -> float:
        ground = ground_of(40, depth=depth)
        figures = run(ground, lambda: alerts.enter(ground, scenario="barClose", second=1, held_s=0))
        return figures.unfilled_pct

    assert unfilled_pct(Depth.DEEP) == 0
    assert unfilled_pct(Depth.THIN) > 0


def test_those_whom_an_alert_left_out_enter_at_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fairness, "_ALERTS", 2)
    ground = ground_of(75)

    async def alert_with_little_weight() -> tuple[Figures, list[Trigger]]:
        ground.limit_lanes(400)  # so much that ten side by side find room, and too little for all
        figures = await fairness.alert_repeatedly(ground, scenario="fairness", second=1, held_s=0)
        return figures, ground.triggers()

    figures, triggers = ground.run(alert_with_little_weight)

    assert figures.more["leftOutAtMost"] > 0
    assert (figures.more["leftOutTwice"], figures.more["neverEntered"]) == (0, 0)
    assert [one.reached + one.left_out for one in triggers] == [75, 75]
    assert max(one.left_out for one in triggers) == figures.more["leftOutAtMost"]


@pytest.mark.parametrize("lanes", [1, 2])
def test_each_lane_has_a_limit_of_its_own(lanes: int) -> None:
    ground = ground_of(40, lanes=lanes)

    async def alert_with_little_weight() -> Figures:
        ground.limit_lanes(100)
        return await alerts.enter(ground, scenario="barClose", second=1, held_s=0)

    figures = run(ground, alert_with_little_weight)

    assert 0 < figures.protected_in_60s < figures.followers
    assert figures.protected_in_60s % lanes == 0
