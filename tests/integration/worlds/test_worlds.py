"""Simulated worlds break no promise, and the checks notice when a rule of the product is removed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from local.faults.worlds.mutations import MUTATIONS, mutated
from local.faults.worlds.shape import FOLLOWERS_OF_A_LANE, Shape
from local.faults.worlds.simulation import Simulation
from local.faults.worlds.verdict import Verdict

ROOT = Path(__file__).parents[3]
SEEDS = range(1, 9)

SMALL = Shape(
    followers=4,
    symbols=("BTC/USDT",),
    bars=5,
    limits=False,
    depth=False,
    filters_change=False,
    forced_closes=False,
    days_held=0,
)
BITTEN: dict[str, tuple[range, Shape | None]] = {
    "no_look_up": (range(14, 40), None),
    "early_stop": (range(1, 60), None),
    "order_of_arrival": (range(8, 40), replace(SMALL, followers=2, bars=6)),
    "passed_targets": (range(17, 40), replace(SMALL, followers=6)),
    "not_placed_ends": (range(2, 30), replace(SMALL, followers=6)),
    "unfit_keys_read": (range(2, 30), replace(SMALL, followers=8)),
    "exits_need_filters": (range(12, 40), replace(SMALL, followers=8)),
    "exits_of_newer": (range(1, 40), replace(SMALL, bars=6, exit_alerts=True)),
    "exits_ignored": (range(5, 40), replace(SMALL, bars=6, exit_alerts=True)),
    "reductions_of_the_rest": (range(17, 40), replace(SMALL, bars=6, reductions=True)),
    "stops_move_back": (range(3, 40), replace(SMALL, bars=6, updates=True)),
    "updates_ignored": (range(5, 40), replace(SMALL, bars=6, updates=True)),
    "breakeven_ignored": (range(5, 40), replace(SMALL, bars=6, updates=True)),
    "activation_alone": (range(7, 30), SMALL),
    "stop_sent_unchanged": (range(5, 40), replace(SMALL, followers=5, bars=6, filters_change=True)),
    "no_account_claims": (range(2, 20), replace(SMALL, followers=10, bars=6)),
    "no_conditions": (range(6, 60), None),
    "risk_from_order_price": (range(2, 20), None),
    "no_fees_in_budget": (range(1, 20), None),
    "risk_to_trigger": (range(1, 20), None),
    "no_own_settings": (range(1, 20), replace(SMALL, own_settings=True)),
    "forced_closes_unnamed": (range(4, 20), replace(SMALL, forced_closes=True)),
    "no_stored_history": (range(2, 30), replace(SMALL, days_held=110)),
}
"""Rule → worlds of which at least one, usually the first, has violations without it, and their shape if not drawn."""


def simulate(seed: int) -> Verdict:
    return Simulation(seed).run()


@cache
def verdict_of(seed: int) -> Verdict:
    return simulate(seed)


@pytest.mark.xdist_group("tested worlds")
@pytest.mark.parametrize("seed", SEEDS)
def test_world_has_no_violations(seed: int) -> None:
    verdict = verdict_of(seed)

    assert verdict.violations == []
    assert verdict.executions > 0


def test_tested_worlds_differ_in_kind() -> None:
    shapes = [Simulation(seed).shape for seed in SEEDS]

    assert {shape.limits for shape in shapes} == {True, False}
    assert {shape.depth for shape in shapes} == {True, False}
    assert {shape.filters_change for shape in shapes} == {True, False}
    assert {shape.exit_alerts for shape in shapes} == {True, False}
    assert {shape.reductions for shape in shapes} == {True, False}
    assert {shape.updates for shape in shapes} == {True, False}
    assert {len(shape.symbols) for shape in shapes} == {1, 2, 3}
    assert max(shape.followers for shape in shapes) > FOLLOWERS_OF_A_LANE


def test_position_held_for_months_is_booked_as_the_exchange_has_it() -> None:
    verdict = Simulation(6, shape=replace(SMALL, days_held=110)).run()

    assert verdict.happened["positions held for weeks"] == 1
    assert verdict.violations == []


def test_same_seed_is_the_same_world() -> None:
    first, second = simulate(5), simulate(5)

    assert first.fingerprint == second.fingerprint
    assert (first.happened, first.ends) == (second.happened, second.ends)


def test_same_seed_is_the_same_world_in_a_process_with_another_hash_seed() -> None:
    script = "from local.faults.worlds.simulation import Simulation; print(Simulation(1).run().fingerprint)"
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", script],
            cwd=ROOT,
            env=os.environ | {"PYTHONHASHSEED": hash_seed},
            stdout=subprocess.PIPE,
            text=True,
        )
        for hash_seed in ("1", "2", "3")
    ]

    printed = [process.communicate(timeout=120)[0].strip() for process in processes]

    assert printed == [simulate(1).fingerprint] * 3


@pytest.mark.xdist_group("tested worlds")
def test_worlds_meet_every_kind_of_fault() -> None:
    happened = sum((verdict_of(seed).happened for seed in SEEDS), Counter[str]())

    assert {"worker killed", "message twice", "alert late", "alert sent again", "exit alert"} <= set(happened)
    assert {"tickSize changed", "stepSize changed", "Exchange Information fails"} <= set(happened)
    assert any(name.startswith("DynamoDB") for name in happened)
    assert any(name.startswith("exchange: http 503") for name in happened)


@pytest.mark.parametrize("rule", MUTATIONS)
def test_harness_notices_a_missing_rule(rule: str) -> None:
    seeds, shape = BITTEN[rule]
    with mutated(rule):
        assert any(Simulation(seed, shape=shape).run().violations for seed in seeds)
