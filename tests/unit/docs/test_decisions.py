"""Decisions: numbered without a gap over all files, dated, and each file named in the index."""

from __future__ import annotations

import re
from datetime import date

from local.stack.places import ROOT

FOLDER = ROOT / "docs" / "decisions"
FILES = sorted(path for path in FOLDER.glob("*.md") if path.name != "README.md")
DECISIONS = [
    one for path in FILES for one in re.split(r"^## ", path.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
]

# The number, what is decided, and the date in a line of its own.
DECISION = re.compile(r"D-(\d{3,}) · \S.*\n\n\*(\d{4}-\d{2}-\d{2})\*\n\n\S")


def test_each_decision_has_a_number_a_title_and_a_date() -> None:
    for decision in DECISIONS:
        found = DECISION.match(decision)
        assert found, decision.splitlines()[0]
        date.fromisoformat(found.group(2))


def test_numbers_are_continuous_and_stand_once() -> None:
    numbers = sorted(int(found.group(1)) for one in DECISIONS if (found := DECISION.match(one)))
    assert numbers == list(range(1, len(DECISIONS) + 1))


def test_the_index_names_every_file() -> None:
    index = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert sorted(re.findall(r"\]\((\w+\.md)\)", index)) == [path.name for path in FILES]
