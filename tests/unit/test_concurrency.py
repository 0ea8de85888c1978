from __future__ import annotations

import threading

import pytest

from shared import concurrency
from shared.concurrency import run_concurrently


def test_results_come_in_the_order_of_their_arguments() -> None:
    first_may_end = threading.Event()

    def work(number: int) -> int:
        if number == 0:
            assert first_may_end.wait(timeout=10)
        else:
            first_may_end.set()
        return number * 10

    # The first ends only after another has: they do run side by side.
    assert run_concurrently(work, range(3)) == [0, 10, 20]


def test_nothing_to_do_is_no_result() -> None:
    assert run_concurrently(str, []) == []


@pytest.mark.parametrize("workers", [1, 2, 16])
def test_first_error_comes_out_when_all_have_ended(workers: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(concurrency, "MAX_THREADS", workers)
    ended: set[int] = set()

    def work(number: int) -> int:
        ended.add(number)
        if number in {1, 3}:
            raise KeyError(number)
        return number

    with pytest.raises(KeyError, match="1"):
        run_concurrently(work, range(6))
    assert ended == set(range(6))
