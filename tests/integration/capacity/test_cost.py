"""The page about cost is reckoned from what the product calls today."""

from __future__ import annotations

import pytest

from local.cost.__main__ import read_kept
from local.cost.measuring import measure

TOLERANCE = 0.1


def test_kept_calls_are_those_of_the_product() -> None:
    kept = read_kept()["calls"]
    measured = measure()
    assert measured.keys() == kept.keys()
    for step, split in measured.items():
        for name in ("write_units", "read_units", "messages"):
            expected = kept[step]["follower"][name]
            assert split["follower"][name] == pytest.approx(expected, rel=TOLERANCE, abs=1), (
                f"{step}, {name}: run `make cost`"
            )
