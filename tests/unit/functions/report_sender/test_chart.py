"""The picture of the curve: small enough for an e-mail, and drawn in the right place."""

from __future__ import annotations

import io
from datetime import date
from decimal import Decimal
from functools import cache
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from functions.report_sender.chart import HEIGHT, WIDTH, draw_curve
from shared.notifications.notices import IMAGES_BYTES

MONDAY = date(2022, 9, 5)
BLUE, RED = (0x24, 0x56, 0xD6), (0xF9, 0xD7, 0xD1)
WEEK = tuple(map(Decimal, (0, 120, 220, 180, 95, -40, 160, 312)))


@cache
def drawn(levels: tuple[Decimal, ...]) -> Image.Image:
    """Return the picture, a pixel a point: every third one, as it was drawn."""
    image = Image.open(io.BytesIO(draw_curve(levels, first_day=MONDAY, asset="USDT"))).convert("RGB")
    return image.resize((WIDTH, HEIGHT), Image.Resampling.NEAREST)


def where(image: Image.Image, colour: tuple[int, int, int]) -> list[tuple[int, int]]:
    """Return the pixels that have (nearly) a colour."""
    pixels = image.load()
    assert pixels is not None

    def near(x: int, y: int) -> bool:
        found = pixels[x, y]
        assert isinstance(found, tuple)
        return all(abs(one - other) < 12 for one, other in zip(found, colour, strict=True))

    return [(x, y) for x in range(image.width) for y in range(image.height) if near(x, y)]


def heights(image: Image.Image) -> dict[int, float]:
    """Return the middle of the curve for each column of pixels in which it is."""
    columns: dict[int, list[int]] = {}
    for x, y in where(image, BLUE):
        columns.setdefault(x, []).append(y)
    return {x: sum(found) / len(found) for x, found in columns.items()}


def test_curve_follows_the_profit() -> None:
    curve = heights(drawn(WEEK))
    left, right = min(curve), max(curve)
    # Beside the dots at the ends, which are higher than the curve.
    days = [left + (right - left) * number // 7 for number in range(8)]
    shown = [curve[min(max(day, left + 3), right - 6)] for day in days]
    for (level, following), (height, next_height) in zip(pairwise(WEEK), pairwise(shown), strict=True):
        assert (following > level) == (next_height < height)


def test_drawdown_is_shaded_and_a_rise_is_not() -> None:
    legend = len(where(drawn(tuple(map(Decimal, range(8)))), RED))
    assert len(where(drawn(WEEK), RED)) > legend + 1_000
    assert 0 < legend < 250


def test_only_the_time_below_the_high_is_shaded() -> None:
    image = drawn(WEEK)
    curve = heights(image)
    left, right = min(curve), max(curve)
    top = min(curve.values())
    shaded = [x for x, y in where(image, RED) if y > top]
    # From Tuesday's end, the high, until Sunday, when it is passed.
    assert left + (right - left) * 1.9 / 7 < min(shaded)
    assert max(shaded) < left + (right - left) * 6.6 / 7


@settings(deadline=None, max_examples=6)
@given(st.lists(st.decimals(-(10**7), 10**7, places=2), min_size=7, max_size=31))
def test_picture_of_any_profit_fits_into_a_notice(profits: list[Decimal]) -> None:
    png = draw_curve([Decimal(0), *profits], first_day=MONDAY, asset="USDT")
    assert len(png) < IMAGES_BYTES / 4
    assert Image.open(io.BytesIO(png)).size == (3 * WIDTH, 3 * HEIGHT)


@pytest.mark.parametrize("level", ["0", "0.00000001", "-99999999999"])
def test_tiny_and_huge_moves_are_drawn(level: str) -> None:
    assert heights(drawn((Decimal(0),) * 7 + (Decimal(level),)))
