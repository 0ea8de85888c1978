"""Which characters people can see, and which names they read as one. Reads and stores nothing."""

from __future__ import annotations

import unicodedata
from typing import Final

_HIDDEN_CATEGORIES: Final = frozenset(["Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"])
"""Control and format characters (bidirectional ones too), surrogates, private use, unassigned, line and paragraph."""

_INVISIBLE: Final = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0")
"""Letters, marks and symbols that nobody sees: fillers, the joiner of graphemes, the blank of Braille."""

_SHAPING: Final = frozenset("\u200c\u200d" + "".join(map(chr, range(0xFE00, 0xFE10))))
"""The joiners that Persian and Indic scripts and emoji need, and the selectors of emoji. They only shape others."""


def is_hidden(character: str) -> bool:
    """Return whether nobody sees the character, and no script needs it."""
    if character in _SHAPING:
        return False
    supplement = "\U000e0100" <= character <= "\U000e01ef"
    return supplement or character in _INVISIBLE or unicodedata.category(character) in _HIDDEN_CATEGORIES


def without_hidden(text: str) -> str:
    """Return the text on one line, without the characters that nobody sees."""
    visible = "".join(character for character in " ".join(text.split()) if not is_hidden(character))
    return " ".join(visible.split())


def fold_name(name: str) -> str:
    """Return the form that is the same for all names that people read as one: NFKC, case folded, single blanks.

    Characters that nobody sees, and those that only shape others, do not count.
    """
    folded = name
    while (again := _fold_once(folded)) != folded:
        folded = again
    return folded


def _fold_once(name: str) -> str:
    compatible = unicodedata.normalize("NFKC", unicodedata.normalize("NFD", name).casefold())
    blank = " ".join(compatible.split())
    return "".join(character for character in blank if character not in _SHAPING and not is_hidden(character)).strip()
