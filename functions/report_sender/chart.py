"""Draws the equity curve of a report: the cumulative profit day by day, with drawdowns shaded. Calculates no figure.

Lengths are in points of a picture WIDTH wide, which fills a phone's screen; drawing at a larger scale and reducing
smooths lines and letters. All colours but white are readable on white, whatever the page around it.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from functools import cache
from itertools import accumulate, pairwise

from PIL import Image, ImageDraw, ImageFont

WIDTH, HEIGHT = 390, 250
_SCALE = 6
"""Pixels per point while drawing."""
_REDUCTION = 2
"""3 pixels per point remain, which are sharp at a mail program's full width on a fine screen."""
_PALETTE_SIZE = 64

_EDGE, _RIGHT, _TOP, _BOTTOM = 14, 18, 54, 34
_FONT_SIZE = 14
_LINES = 4
_FEW_DAYS = 10
_LABELS_EVERY = 7
_SUBSTEPS = 24
"""Points between two days at which the shading is calculated; the curve between them is straight."""

_WHITE, _INK, _SOFT = "#ffffff", "#16202c", "#5b6776"
_GRID, _ZERO = "#e8ecf1", "#8c98a8"
_CURVE, _DRAWDOWN = "#2456d6", "#f9d7d1"

Point = tuple[float, float]


def draw_curve(levels: Sequence[Decimal], *, first_day: date, asset: str) -> bytes:
    """Return a PNG of the cumulative profit: `levels` are 0, then the profit at the end of each day."""
    shown = [float(level) for level in levels]
    return _Chart(shown, first_day=first_day, asset=asset, scale=_Scale.of(shown)).png()


@dataclass(frozen=True, slots=True)
class _Scale:
    """The range of profits in the picture, with its horizontal lines."""

    bottom: float
    top: float
    step: float

    @classmethod
    def of(cls, levels: Sequence[float]) -> _Scale:
        low, high = min(0.0, *levels), max(0.0, *levels)
        span = (high - low) or 1.0
        step = _round_step(span / _LINES)
        return cls(bottom=low - span * 0.14, top=high + span * 0.14, step=step)

    def lines(self) -> list[float]:
        """Return the round profits in the range."""
        first, last = math.ceil(self.bottom / self.step), math.floor(self.top / self.step)
        return [number * self.step for number in range(first, last + 1)]

    def label(self, profit: float) -> str:
        """Return a line's label: as many digits as its step has."""
        places = max(0, -math.floor(math.log10(self.step)))
        return f"{profit:+,.{places}f}" if profit else "0"


@dataclass(frozen=True, slots=True)
class _Chart:
    levels: list[float]
    first_day: date
    asset: str
    scale: _Scale

    @property
    def left(self) -> float:
        """The left end of the curve, after the labels of the lines."""
        return _EDGE + 8 + max(_length(self.scale.label(profit)) for profit in self.scale.lines())

    def png(self) -> bytes:
        image = Image.new("RGB", (WIDTH * _SCALE, HEIGHT * _SCALE), _WHITE)
        pen = ImageDraw.Draw(image)
        points = [self._point(day, level) for day, level in enumerate(self.levels)]
        self._draw_head(pen)
        self._shade_drawdowns(pen)
        self._draw_lines(pen)
        self._draw_days(pen)
        pen.line([_to_pixels(point) for point in points], fill=_CURVE, width=round(2.6 * _SCALE), joint="curve")
        self._draw_extremes(pen, points)
        _dot(pen, points[-1], radius=4.5, colour=_CURVE)
        out = io.BytesIO()
        image.reduce(_REDUCTION).quantize(_PALETTE_SIZE, Image.Quantize.MEDIANCUT).save(out, "PNG")
        return out.getvalue()

    def _point(self, day: float, level: float) -> Point:
        across = day / (len(self.levels) - 1)
        up = (level - self.scale.bottom) / (self.scale.top - self.scale.bottom)
        return self.left + across * (WIDTH - self.left - _RIGHT), HEIGHT - _BOTTOM - up * (HEIGHT - _TOP - _BOTTOM)

    def _draw_head(self, pen: ImageDraw.ImageDraw) -> None:
        _write(pen, (_EDGE, 22), f"Profit in {self.asset}, after fees", anchor="lm", colour=_INK, bold=True)
        side = 11
        words = "below the high"
        at = WIDTH - _RIGHT - _length(words)
        _write(pen, (at, 22), words, anchor="lm", colour=_SOFT)
        box = [(at - side - 6, 22 - side / 2), (at - 6, 22 + side / 2)]
        pen.rectangle([_to_pixels(point) for point in box], fill=_DRAWDOWN)

    def _shade_drawdowns(self, pen: ImageDraw.ImageDraw) -> None:
        """Shade the area between the curve and the highest profit so far."""
        found = list(_interpolate(self.levels))
        highest = list(accumulate((level for _, level in found), max))
        for number, (before, after) in enumerate(pairwise(found)):
            corners = [
                self._point(before[0], before[1]),
                self._point(before[0], highest[number]),
                self._point(after[0], highest[number]),
                self._point(after[0], after[1]),
            ]
            if highest[number] > min(before[1], after[1]):
                pen.polygon([_to_pixels(point) for point in corners], fill=_DRAWDOWN)

    def _draw_lines(self, pen: ImageDraw.ImageDraw) -> None:
        for profit in self.scale.lines():
            _, y = self._point(0, profit)
            zero = profit == 0
            ends = [_to_pixels((self.left, y)), _to_pixels((WIDTH - _RIGHT, y))]
            pen.line(ends, fill=_ZERO if zero else _GRID, width=round((1.4 if zero else 1) * _SCALE))
            _write(pen, (self.left - 8, y), self.scale.label(profit), anchor="rm", colour=_INK if zero else _SOFT)

    def _draw_days(self, pen: ImageDraw.ImageDraw) -> None:
        days = len(self.levels) - 1
        few = days <= _FEW_DAYS
        for number in range(1, days + 1):
            day = self.first_day + timedelta(days=number - 1)
            if few or (number - 1) % _LABELS_EVERY == 0:
                text = f"{day:%a}" if few else f"{day.day} {day:%b}"
                x = self.left + number / days * (WIDTH - self.left - _RIGHT)
                _write(pen, (min(x, WIDTH - _EDGE), HEIGHT - 15), text, anchor="mm", colour=_SOFT)

    def _draw_extremes(self, pen: ImageDraw.ImageDraw, points: Sequence[Point]) -> None:
        """Label the highest and the lowest profit; 0 has its line."""
        for extreme, side in ((max(self.levels), -1), (min(self.levels), 1)):
            if extreme == 0:
                continue
            x, y = points[self.levels.index(extreme)]
            _dot(pen, (x, y), radius=3.5, colour=_CURVE)
            text = f"{extreme:+,.2f}"
            half = _length(text) / 2
            within = min(max(x, self.left + half + 2), WIDTH - 8 - half)
            _write(pen, (within, y + side * 14), text, anchor="mm", colour=_INK, bold=True, halo=True)


def _interpolate(levels: Sequence[float]) -> Iterator[Point]:
    """Yield points (day, level) of the curve, in order."""
    for day, (before, after) in enumerate(pairwise(levels)):
        for step in range(_SUBSTEPS):
            part = step / _SUBSTEPS
            yield day + part, before + (after - before) * part
    yield len(levels) - 1, levels[-1]


def _round_step(least: float) -> float:
    """Return the smallest 1, 2 or 5 × 10ⁿ that is not below `least`."""
    power = 10 ** math.floor(math.log10(least))
    return float(next(step * power for step in (1, 2, 5, 10) if step * power >= least))


def _dot(pen: ImageDraw.ImageDraw, at: Point, *, radius: float, colour: str) -> None:
    x, y = _to_pixels(at)
    for size, fill in ((radius + 1.5, _WHITE), (radius, colour)):
        reach = size * _SCALE
        pen.ellipse([(x - reach, y - reach), (x + reach, y + reach)], fill=fill)


def _write(
    pen: ImageDraw.ImageDraw,
    at: Point,
    text: str,
    *,
    anchor: str,
    colour: str,
    bold: bool = False,
    halo: bool = False,
) -> None:
    # The font has one weight: an outline in the same colour makes it bolder, a white one keeps lines off the text.
    if halo:
        pen.text(_to_pixels(at), text, _WHITE, _font(), anchor=anchor, stroke_width=3 * _SCALE, stroke_fill=_WHITE)
    outline = 1 if bold else 0
    pen.text(_to_pixels(at), text, colour, _font(), anchor=anchor, stroke_width=outline, stroke_fill=colour)


def _length(text: str) -> float:
    return _font().getlength(text) / _SCALE


@cache
def _font() -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    # The font that Pillow ships.
    return ImageFont.load_default(_FONT_SIZE * _SCALE)


def _to_pixels(point: Point) -> Point:
    return point[0] * _SCALE, point[1] * _SCALE
