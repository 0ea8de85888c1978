"""Which characters people see, and which names they read as one."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.readable_text import fold_name, is_hidden, without_hidden

ANY = st.text(st.characters(), max_size=30)
HIDDEN = [
    *("\x00", "\n", "\x1b", "\x85", "\u00ad", "\u061c", "\u180e", "\u200b", "\u200e", "\u200f", "\u2028", "\u2029"),
    *("\u202a", "\u202e", "\u2060", "\u2066", "\u2069", "\ufeff", "\ufff9", "\U000e0041", "\U000e0100", "\U000e01ef"),
    *("\ud800", "\udfff", "\ue000", "\U0010ffff", "\u0378", "\u034f", "\u115f", "\u3164", "\uffa0", "\u2800"),
]
SHAPING = ["\u200c", "\u200d", "\ufe0e", "\ufe0f"]


@pytest.mark.parametrize("character", HIDDEN, ids=ascii)
def test_characters_that_nobody_sees_are_hidden(character: str) -> None:
    assert is_hidden(character)
    assert without_hidden(f"a{character}b") in {"ab", "a b"}
    assert fold_name(f"a{character}b") in {"ab", "a b"}


@pytest.mark.parametrize(
    "text",
    [
        "Zo\u00eb",
        "\u041c\u0438\u0440",
        "\u5b89\u5168",
        "\u0645\u0631\u062d\u0628\u0627",
        "\U0001f680",
        "a\u00a0b",
        "\u20ac 5 %",
        *SHAPING,
    ],
)
def test_characters_that_people_see_or_scripts_need_are_not_hidden(text: str) -> None:
    assert not any(map(is_hidden, text))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Momentum", "MOMENTUM"),
        ("Momentum", " momentum\u00a0"),
        ("Momentum", "\uff2d\uff4f\uff4d\uff45\uff4e\uff54\uff55\uff4d"),
        ("Momentum", "Mo\u200bmentum"),
        ("Momentum", "Mo\u200dmentum"),
        ("Momentum", "\u202eMomentum"),
        ("Alpha Beta", "Alpha \u2003 Beta"),
        ("Zo\u00eb", "Zoe\u0308"),
        ("Stra\u00dfe", "STRASSE"),
        ("\ufb01ne", "FINE"),
        ("\u2163", "iv"),
        ("\u03a3\u03af\u03c3\u03c5\u03c6\u03bf\u03c2", "\u03a3\u038a\u03a3\u03a5\u03a6\u039f\u03a3"),
        ("\u2764\ufe0f", "\u2764"),
    ],
)
def test_names_that_people_read_as_one_fold_alike(one: str, other: str) -> None:
    assert fold_name(one) == fold_name(other)


@pytest.mark.parametrize(
    ("one", "other"), [("Alpha", "Alphas"), ("Alpha Beta", "AlphaBeta"), ("1", "l"), ("a", "\u00e0")]
)
def test_names_that_differ_fold_differently(one: str, other: str) -> None:
    assert fold_name(one) != fold_name(other)


@given(ANY)
def test_folded_name_is_its_own_folded_form(name: str) -> None:
    folded = fold_name(name)
    assert fold_name(folded) == folded
    assert not any(map(is_hidden, folded))
    assert fold_name(name.casefold()) == fold_name(unicodedata.normalize("NFD", name)) == folded


@given(ANY)
def test_text_without_hidden_characters_keeps_all_others(text: str) -> None:
    seen = [character for character in text if not is_hidden(character) and not character.isspace()]
    assert [character for character in without_hidden(text) if character != " "] == seen
    assert "  " not in without_hidden(text)
