"""A report's letter in a real browser, as wide as a phone: nothing runs out of the page, and the curve is shown."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from functions.report_sender.chart import draw_curve
from local.demo.report import with_images
from shared.models.notice import InlineImage
from shared.notifications.notice_types import WeeklyReport
from shared.notifications.rendering import mail
from shared.notifications.report_values import ASSET
from shared.notifications.templates import EQUITY_IMAGE, text_of
from tests.system.browser import PROGRAMS, Page, find_browser, open_page
from tests.unit.notifications.samples import FIGURES

PHONE_PX = 360
MILLIONS = Decimal("-12345678.9")

WIDE = replace(
    FIGURES,
    profit=MILLIONS,
    fee=-MILLIONS,
    max_drawdown=-MILLIONS,
    balance=-MILLIONS,
    latest=(
        replace(FIGURES.latest[0], profit=MILLIONS, symbol="1000000BABYDOGE/USDT", strategy_name="W" * 120),
        *FIGURES.latest,
    ),
)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    program = find_browser()
    if program is None:
        pytest.skip(f"no browser: none of {', '.join(PROGRAMS)} is installed")
    file: Path = tmp_path_factory.mktemp("report") / "report.html"
    levels = [Decimal(level) for level in (0, 3, 9, 4, -2, -2, 5, 12)]
    curve = InlineImage(EQUITY_IMAGE, draw_curve(levels, first_day=WIDE.first_day, asset=ASSET))
    html = mail(text_of(WeeklyReport(figures=WIDE)), images=[EQUITY_IMAGE]).html
    file.write_text(with_images(html, [curve]), encoding="utf-8")
    with open_page(program, file.as_uri()) as page:
        page.call("Emulation.setDeviceMetricsOverride", width=PHONE_PX, height=800, deviceScaleFactor=2, mobile=True)
        page.wait_for(f"innerWidth === {PHONE_PX}")
        yield page


def test_nothing_is_wider_than_a_phone(page: Page) -> None:
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE_PX
    outside = page.evaluate(
        "[...document.body.querySelectorAll('*')]"
        ".filter((one) => one.getBoundingClientRect().right > innerWidth).map((one) => one.outerHTML)"
    )
    assert outside == []


def test_the_curve_is_shown_at_full_width(page: Page) -> None:
    page.wait_for("document.images[0]?.complete")
    assert page.evaluate("document.images[0].naturalWidth") == 1170
    assert page.evaluate("document.images[0].getBoundingClientRect().width") > PHONE_PX * 0.75


def test_every_letter_can_be_read_on_a_phone(page: Page) -> None:
    smallest = page.evaluate(
        "Math.min(...[...document.body.querySelectorAll('*')].filter((one) => one.children.length === 0 && "
        "one.innerText?.trim()).map((one) => parseFloat(getComputedStyle(one).fontSize)))"
    )
    assert smallest >= 14


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_stand_out_from_the_page_by_day_and_by_night(page: Page, scheme: str) -> None:
    page.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
    faint = page.evaluate(
        """(() => {
          const parts = (colour) => colour.match(/[\\d.]+/g).map(Number);
          const light = (colour) => {
            const [r, g, b] = parts(colour).map((c) => c / 255)
              .map((c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
            return 0.2126 * r + 0.7152 * g + 0.0722 * b;
          };
          const behind = (one) => {
            const colour = getComputedStyle(one).backgroundColor;
            return parts(colour)[3] === 0 ? behind(one.parentElement) : colour;
          };
          const contrast = (one) => {
            const [low, high] = [light(getComputedStyle(one).color), light(behind(one))].sort((a, b) => a - b);
            return (high + 0.05) / (low + 0.05);
          };
          return [...document.body.querySelectorAll('td, div, h1, h2, p')]
            .filter((one) => one.children.length === 0 && one.innerText?.trim() && contrast(one) < 4.5)
            .map((one) => one.outerHTML);
        })()"""
    )
    assert faint == []
