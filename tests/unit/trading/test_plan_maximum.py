from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.clock import from_iso
from shared.trading.plan_maximum import Crossings, is_above, update_crossings

NOON = from_iso("2026-01-01T12:00:00Z")
NEAR_PCT = Decimal(90)
MAXIMUM = Decimal(1000)


def walk(*balances: str | Decimal) -> list[Crossings]:
    """Return the crossings after each balance, a minute apart."""
    found, now = [], Crossings()
    for number, balance in enumerate(balances):
        at = NOON + timedelta(minutes=number)
        now = update_crossings(now, Decimal(balance), maximum_usd=MAXIMUM, near_pct=NEAR_PCT, at=at)
        found.append(now)
    return found


def minute(number: int) -> datetime:
    return NOON + timedelta(minutes=number)


@pytest.mark.parametrize(
    ("balance", "near", "above"),
    [("899.99", False, False), ("900", True, False), ("1000", True, False), ("1000.01", True, True)],
)
def test_limits_are_exact(balance: str, near: bool, above: bool) -> None:
    (stands,) = walk(balance)
    assert (stands.near_since is not None, stands.above_since is not None) == (near, above)
    assert is_above(Decimal(balance), MAXIMUM) is above


def test_crossing_keeps_its_time_while_it_lasts() -> None:
    assert walk("950", "920", "999")[-1] == Crossings(near_since=minute(0))


def test_balance_that_moves_around_a_limit_crosses_it_once() -> None:
    assert walk("900", "880", "905", "899", "901")[-1] == Crossings(near_since=minute(0))
    assert walk("1001", "980", "1001")[-1].above_since == minute(0)


def test_balance_that_fell_clearly_below_crosses_again() -> None:
    assert [one.near_since for one in walk("900", "879.99", "900")] == [minute(0), None, minute(2)]
    assert [one.above_since for one in walk("1001", "979.99", "1001")] == [minute(0), None, minute(2)]


def test_balance_that_falls_from_above_does_not_come_near_again() -> None:
    assert walk("950", "1100", "950")[-1] == Crossings(near_since=minute(0))


def test_without_a_maximum_there_is_nothing_to_cross() -> None:
    before = Crossings(near_since=NOON, above_since=NOON)
    assert update_crossings(before, Decimal(10**9), maximum_usd=None, near_pct=NEAR_PCT, at=NOON) == Crossings()


def test_larger_plan_ends_the_crossing() -> None:
    before = Crossings(near_since=NOON, above_since=NOON)
    assert update_crossings(before, Decimal(1500), maximum_usd=Decimal(5000), near_pct=NEAR_PCT, at=NOON) == Crossings()


@given(st.lists(st.decimals(min_value=0, max_value=2000, places=2), min_size=1, max_size=40))
def test_between_two_crossings_the_balance_was_clearly_below(balances: list[Decimal]) -> None:
    for limit, slack, times in (
        (Decimal(900), Decimal(880), [one.near_since for one in walk(*balances)]),
        (Decimal("1000.01"), Decimal(980), [one.above_since for one in walk(*balances)]),
    ):
        begun = [number for number, since in enumerate(times) if since == minute(number)]
        assert all(balances[number] >= limit for number in begun)
        for first, second in pairwise(begun):
            assert min(balances[first:second]) < slack
        first_at_limit = next((number for number, balance in enumerate(balances) if balance >= limit), None)
        assert begun[:1] == ([] if first_at_limit is None else [first_at_limit])
