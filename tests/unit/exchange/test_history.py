"""Histories are complete or an error: contiguous spans, and lists that show only the first or last rows of a span."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest

from shared.errors import OutcomeUnknown
from shared.exchange.history import INCOME_SPAN_MS, LIST_SPAN_MS, PAGE, fetch_all, spans

WEEK_MS = 7 * 24 * 3600 * 1000
NOW_MS = 1_700_000_000_000


@pytest.mark.parametrize("span_ms", [LIST_SPAN_MS, INCOME_SPAN_MS])
@pytest.mark.parametrize("age_ms", [0, 1, WEEK_MS - 1, WEEK_MS, 10 * WEEK_MS + 5])
def test_spans_join_and_reach_past_now(age_ms: int, span_ms: int) -> None:
    found = list(spans(NOW_MS - age_ms, NOW_MS, span_ms=span_ms))

    assert found[0][0] == NOW_MS - age_ms
    assert found[-1][1] >= NOW_MS
    assert all(end - start <= span_ms for start, end in found)
    assert all(before[1] + 1 == after[0] for before, after in pairwise(found))


def test_a_span_of_a_list_is_less_than_seven_days() -> None:
    assert LIST_SPAN_MS < WEEK_MS


def read(times_ms: Sequence[int], *, newest: bool, span_ms: int = WEEK_MS) -> tuple[list[int], int]:
    """Read a list that shows one page of a span; return the ids found and the number of requests."""
    requests = 0

    async def ask(first_ms: int, last_ms: int) -> list[dict[str, Any]]:
        nonlocal requests
        requests += 1
        rows = [{"id": n} for n, at_ms in enumerate(times_ms) if first_ms <= at_ms <= last_ms]
        return rows[-PAGE:] if newest else rows[:PAGE]

    rows = asyncio.run(fetch_all(ask, 0, span_ms))
    return [row["id"] for row in rows], requests


@pytest.mark.parametrize("newest", [True, False])
@pytest.mark.parametrize("count", [0, PAGE - 1, PAGE, 3 * PAGE + 7])
def test_list_longer_than_a_page_loses_nothing(count: int, newest: bool) -> None:
    times = sorted(n * 7_919_111 % WEEK_MS for n in range(count))  # as good as anywhere in the week

    found, _ = read(times, newest=newest)

    assert found == list(range(count))


def test_list_shorter_than_a_page_is_requested_once() -> None:
    assert read(range(PAGE - 1), newest=True)[1] == 1


def test_more_than_a_page_in_a_millisecond_is_an_error_not_a_loss() -> None:
    with pytest.raises(OutcomeUnknown):
        read([5] * PAGE, newest=True, span_ms=100)
