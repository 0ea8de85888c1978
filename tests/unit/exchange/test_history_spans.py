"""History requests cover at most seven days each, and together everything."""

from __future__ import annotations

from itertools import pairwise

import pytest

from shared.exchange.futures import _windows

WEEK_MS = 7 * 24 * 3600 * 1000


@pytest.mark.parametrize("age_ms", [0, 1, WEEK_MS - 1, WEEK_MS, 10 * WEEK_MS + 5])
def test_spans_join_and_reach_past_now(age_ms: int) -> None:
    now_ms = 1_700_000_000_000

    spans = list(_windows(now_ms - age_ms, now_ms))

    assert spans[0][0] == now_ms - age_ms
    assert spans[-1][1] >= now_ms
    assert all(end - start < WEEK_MS for start, end in spans)
    assert all(before[1] == after[0] for before, after in pairwise(spans))
