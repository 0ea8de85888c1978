"""The parts that a notice's words are made of, in plain text. Knows no channel and escapes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Tone(StrEnum):
    """Whether a figure is good news."""

    PLAIN = "PLAIN"
    GAIN = "GAIN"
    LOSS = "LOSS"


@dataclass(frozen=True, slots=True)
class Fact:
    """A label and its value."""

    label: str
    value: str


@dataclass(frozen=True, slots=True)
class Row:
    """One figure of a letter: what it is, the figure, and more about it."""

    label: str
    value: str
    detail: str = ""
    tone: Tone = Tone.PLAIN


@dataclass(frozen=True, slots=True)
class Section:
    """Rows under a heading."""

    heading: str
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """What an e-mail says where it has more to say than a message: a figure, an image, and rows under headings."""

    heading: str
    subheading: str
    result: str
    tone: Tone
    remark: str
    """Beside the result."""
    image_text: str
    """What the image shows, for those who do not see it."""
    figures: tuple[Row, ...]
    """The few that are read first."""
    sections: tuple[Section, ...]
    closing: tuple[str, ...]
    """Small print."""


@dataclass(frozen=True, slots=True)
class Wording:
    """What a notice says: a title, sentences and facts in the order in which they are read."""

    title: str
    lines: tuple[str | Fact, ...]
    image: str | None = None
    """The image that is shown where images can be."""
    letter: Letter | None = None
    """What an e-mail says in place of the lines."""
