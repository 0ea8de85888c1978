"""The package map names each file of the executor once, in the order of the package's own list."""

from __future__ import annotations

import re
from pathlib import Path

import functions.order_executor as executor

ROOT = Path(__file__).parents[3]
PACKAGE = ROOT / "functions" / "order_executor"


def test_every_file_of_the_executor_is_in_the_map_and_in_the_packages_list() -> None:
    files = {path.name for path in PACKAGE.glob("*.py")} - {"__init__.py"}
    text = (ROOT / "docs" / "architecture.md").read_text()
    [section] = re.findall(r"### `functions/order_executor`\n(.*?)\n### ", text, flags=re.DOTALL)
    mapped = re.findall(r"^\| `(\w+\.py)` \|", section, flags=re.MULTILINE)
    listed = re.findall(r"^(\w+\.py) ", executor.__doc__ or "", flags=re.MULTILINE)

    assert sorted(mapped) == sorted(files)
    assert mapped == listed


def test_every_file_of_the_executor_fits_a_head() -> None:
    lines = {path.name: len(path.read_text().splitlines()) for path in PACKAGE.glob("*.py")}

    assert {name: count for name, count in lines.items() if count > 250} == {}
