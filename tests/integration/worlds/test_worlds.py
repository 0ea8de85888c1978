"""Worlds in which everything goes wrong hold all the same, and the harness notices when a rule is taken out."""

from __future__ import annotations

from collections import Counter

import pytest

from local.faults.worlds.mutations import MUTATIONS, mutated
from local.faults.worlds.simulation import Simulation
from local.faults.worlds.verdict import Verdict

SEEDS = range(1, 9)

BITTEN = {"no_look_up": range(1, 20), "early_stop": range(3, 60), "no_conditions": range(10, 60)}
"""Rule → worlds of which at least one cannot do without it; the first of them, as a rule."""


def live(seed: int) -> Verdict:
    return Simulation(seed).run()


@pytest.mark.parametrize("seed", SEEDS)
def test_world_is_as_it_must_be(seed: int) -> None:
    verdict = live(seed)

    assert verdict.faults == []
    assert verdict.executions >= 25


def test_same_seed_is_the_same_world() -> None:
    first, second = live(5), live(5)

    assert first.fingerprint == second.fingerprint
    assert (first.happened, first.ends) == (second.happened, second.ends)


def test_worlds_meet_every_kind_of_fault() -> None:
    happened = sum((live(seed).happened for seed in (3, 8)), Counter[str]())

    assert {"worker killed", "message twice"} <= set(happened)
    assert any(name.startswith("DynamoDB") for name in happened)
    assert any(name.startswith("exchange: http 503") for name in happened)


@pytest.mark.parametrize("rule", MUTATIONS)
def test_harness_notices_a_missing_rule(rule: str) -> None:
    with mutated(rule):
        assert any(live(seed).faults for seed in BITTEN[rule])
