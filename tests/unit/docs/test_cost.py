"""The page about cost shows the kept calls, the template's resources and the dated prices."""

from __future__ import annotations

from copy import deepcopy
from datetime import date

import pytest

from local.cost.__main__ import PAGE, read_kept
from local.cost.page import Resources, cost_of, count_resources, idle, prices, write_page

KEPT = read_kept()


def test_page_is_what_the_command_writes() -> None:
    assert write_page(KEPT) == PAGE.read_text(encoding="utf-8"), "run `make cost`, or `PAGE=1 make cost`"


def test_page_follows_calls_and_resources() -> None:
    more_writes, more_alarms = deepcopy(KEPT), deepcopy(KEPT)
    more_writes["calls"]["entry"]["follower"]["write_units"] *= 2
    more_alarms["resources"]["alarms"] += 100
    assert len({write_page(one) for one in (KEPT, more_writes, more_alarms)}) == 3


def test_kept_resources_cost_about_what_the_templates_do() -> None:
    price = prices()["regions"]["us-east-1"]

    def idle_cost(found: Resources) -> float:
        return sum(cost_of(taken, price) for _, taken in idle(KEPT["calls"], found))

    kept, today = idle_cost(Resources(**KEPT["resources"])), idle_cost(count_resources())
    assert kept == pytest.approx(today, rel=0.1), "run `PAGE=1 make cost`"


def test_prices_are_dated_have_sources_and_are_the_same_in_every_region() -> None:
    assert date.fromisoformat(prices()["read_on"]) >= date(2026, 11, 29)
    regions = list(prices()["regions"].values())
    assert {frozenset(region) for region in regions} == {frozenset(regions[0])}
    assert all(price > 0 for region in regions for price in region.values())
    assert set(prices()["pages"]) == set(regions[0])
    assert all(page.startswith("https://aws.amazon.com/") for page in prices()["pages"].values())


def test_each_check_of_a_price_names_its_page_and_day() -> None:
    for check in prices()["checks"]:
        assert check["prices"]
        assert set(check["prices"]) <= set(prices()["regions"][check["region"]])
        assert check["page"].startswith("https://")
        assert date.fromisoformat(check["on"]) <= date.fromisoformat(prices()["read_on"])


def test_prices_that_were_compared_with_no_page_are_named() -> None:
    named = PAGE.read_text(encoding="utf-8").partition("not compared:")[2].partition("\n\n")[0]
    for region, known in prices()["regions"].items():
        checked = {name for one in prices()["checks"] if one["region"] == region for name in one["prices"]}
        told = named.partition(f"in {region} ")[2].partition(";")[0]
        assert {name for name in known if f"`{name}`" in told} == set(known) - checked


def test_cost_is_the_sum_of_amounts_times_prices() -> None:
    assert cost_of({"a": 2, "b": 0.5}, {"a": 3, "b": 4, "c": 100}) == pytest.approx(8)
