"""The gate of a lane: never above the limit, the most urgent first, and what admitted work holds stays its own."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.exchange.gate import SHARE_PCT, Budget, Request, Work, needs_next_window, who_goes

LIMIT = 2_400

weights = st.integers(min_value=1, max_value=120)
requests = st.builds(
    Request, work=st.sampled_from(Work), weight=weights, notional_usdt=st.decimals(0, 100_000, places=2)
)
budgets = st.builds(
    Budget, limit=st.just(LIMIT), used=st.integers(0, LIMIT + 200), held=st.integers(min_value=0, max_value=LIMIT)
)


def urgency(request: Request) -> tuple[int, Decimal]:
    return list(Work).index(request.work), -request.notional_usdt


@given(budgets, st.lists(requests, max_size=40))
def test_used_held_and_admitted_weight_stays_within_the_limit(budget: Budget, waiting: list[Request]) -> None:
    admitted = [waiting[number] for number in who_goes(budget, waiting)]

    total = budget.used + budget.held
    for request in admitted:
        total += request.weight
        assert total <= LIMIT * SHARE_PCT[request.work] // 100


@given(budgets, st.lists(requests, max_size=40))
def test_nobody_goes_before_a_more_urgent_request_that_waits(budget: Budget, waiting: list[Request]) -> None:
    going = who_goes(budget, waiting)

    left = [request for number, request in enumerate(waiting) if number not in going]
    assert len(set(going)) == len(going)
    for gone in going:
        assert all(urgency(waiting[gone]) <= urgency(other) for other in left)


@given(budgets, st.lists(requests, min_size=1, max_size=40))
def test_the_most_urgent_request_goes_if_it_fits(budget: Budget, waiting: list[Request]) -> None:
    first = min(waiting, key=urgency)

    assert bool(who_goes(budget, waiting)) == (first.weight <= budget.room(first.work))


@given(st.lists(st.tuples(requests, st.booleans()), max_size=200), weights)
def test_other_work_never_takes_the_weight_that_exits_may_need(
    arrivals: list[tuple[Request, bool]], weight: int
) -> None:
    """Whatever comes in whatever order, a close fits as long as closes and naked positions have used nothing."""
    used = held = 0
    for request, ends in arrivals:
        if request.work in {Work.NAKED, Work.CLOSE}:
            continue
        if who_goes(Budget(LIMIT, used, held), [request]):
            used, held = (used + request.weight, held) if ends else (used, held + request.weight)

    assert who_goes(Budget(LIMIT, used, held), [Request(Work.CLOSE, weight)]) == [0]
    assert Budget(LIMIT, used, held).room(Work.NAKED) >= LIMIT * 10 // 100


@given(st.integers(0, LIMIT), st.lists(weights, max_size=80), st.lists(requests, max_size=80))
def test_work_that_was_admitted_can_use_what_it_holds(used: int, admitted: list[int], arrivals: list[Request]) -> None:
    """The weight that is held when others are admitted is there when its holders use it at last."""
    budget = Budget(LIMIT, used)
    holds = []
    for weight in admitted:
        if who_goes(budget, [Request(Work.ENTRY, weight)]):
            holds.append(weight)
            budget = Budget(LIMIT, used, budget.held + weight)
    for request in arrivals:
        if who_goes(budget, [request]):
            used += request.weight  # others use theirs at once
            budget = Budget(LIMIT, used, budget.held)

    if holds:
        assert used + sum(holds) <= LIMIT


@given(budgets, requests, st.integers(1, LIMIT))
def test_releasing_weight_admits_no_less(budget: Budget, request: Request, released: int) -> None:
    after = Budget(LIMIT, budget.used, max(budget.held - released, 0))

    assert len(who_goes(after, [request])) >= len(who_goes(budget, [request]))


@given(budgets, requests)
def test_request_waits_for_the_next_window_only_if_no_release_can_help(budget: Budget, request: Request) -> None:
    helped = who_goes(Budget(LIMIT, budget.used), [request]) == [0]

    assert needs_next_window(budget, request) is not helped


@pytest.mark.parametrize(("more", "less"), list(zip(Work, list(Work)[1:], strict=False)))
def test_each_kind_of_work_stands_back_before_the_more_urgent_one(more: Work, less: Work) -> None:
    full_for_less = Budget(LIMIT, used=LIMIT * SHARE_PCT[less] // 100)

    assert who_goes(full_for_less, [Request(less, 1)]) == []
    assert who_goes(full_for_less, [Request(more, 1)]) == [0]


def test_larger_position_is_closed_first() -> None:
    small, large = Request(Work.CLOSE, 20, Decimal(100)), Request(Work.CLOSE, 20, Decimal(9_000))
    one_fits = Budget(LIMIT, used=LIMIT * SHARE_PCT[Work.CLOSE] // 100 - 30)

    assert who_goes(one_fits, [small, large]) == [1]
