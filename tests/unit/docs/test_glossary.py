"""The glossary: each word once, in order, and every state and reason that the code knows."""

from __future__ import annotations

import re
from enum import StrEnum

import pytest

from functions.strategy_follower.refusals import FollowRefusal
from local.stack.places import ROOT
from shared.notifications.reasons import REFUSALS
from shared.trading.connection import KeyRefusal
from shared.trading.execution import CloseReason, DenialReason, ExecutionState, Reason

SECTIONS = re.split(r"^## ", (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]


def rows(heading: str) -> list[list[str]]:
    """Return the cells of the section's table, without its head."""
    (section,) = [one for one in SECTIONS if one.startswith(f"{heading}\n")]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def first_cells(heading: str) -> list[str]:
    return [row[0].strip("`") for row in rows(heading)]


def test_words_are_alphabetical_and_stand_once() -> None:
    words = [word.lower() for word in first_cells("Words")]
    assert words == sorted(set(words))


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.splitlines()[0])
def test_no_cell_is_empty(section: str) -> None:
    for row in rows(section.splitlines()[0]):
        assert all(row), row


@pytest.mark.parametrize(
    ("heading", "members"),
    [
        ("States of an execution", ExecutionState),
        ("Reasons for a denial", DenialReason),
        ("Other reasons", Reason),
        ("Reasons for a close", CloseReason),
        ("Refusals of the Account API", KeyRefusal),
        ("Refusals to follow", FollowRefusal),
    ],
)
def test_states_and_reasons_are_those_of_the_code(heading: str, members: type[StrEnum]) -> None:
    assert first_cells(heading) == [member.value for member in members]


def test_refusals_with_words_of_their_own_are_listed() -> None:
    told = [reason for reason in REFUSALS if reason.startswith("EXCHANGE_") and reason not in set(Reason)]
    assert first_cells("Refusals that the owner can mend") == told
