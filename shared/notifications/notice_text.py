"""The parts of a notice's text, without markup. Knows no channel and escapes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Tone(StrEnum):
    """Whether a number is good or bad news."""

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
    """One line of a letter: a label, its value, and a detail."""

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
    """The text of an e-mail that says more than the message: a result, an image, and rows under headings."""

    heading: str
    subheading: str
    result: str
    tone: Tone
    remark: str
    """Beside the result."""
    image_text: str
    """The image's alternative text."""
    figures: tuple[Row, ...]
    """The few rows that are read first."""
    sections: tuple[Section, ...]
    closing: tuple[str, ...]
    """Small print."""


@dataclass(frozen=True, slots=True)
class NoticeText:
    """The text of a notice: a title, then sentences and facts in reading order."""

    title: str
    lines: tuple[str | Fact, ...]
    image: str | None = None
    """The name of an image, for channels that show images."""
    letter: Letter | None = None
    """The e-mail's text in place of the lines."""
