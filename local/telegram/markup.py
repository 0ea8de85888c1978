"""Reads Telegram's HTML: a small part of it, strictly."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Final

_TAGS: Final = {"b", "strong", "i", "em", "u", "s", "code", "pre", "a", "blockquote"}


class MarkupRefused(Exception):
    """The message has invalid markup; the text is Telegram's error."""


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.seen: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        del attrs
        if tag not in _TAGS:
            raise MarkupRefused(f'can\'t parse entities: Unsupported start tag "{tag}"')
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            raise MarkupRefused("can't parse entities: Unmatched end tag")

    def handle_data(self, data: str) -> None:
        self.seen.append(data)


def read_html(text: str) -> str:
    """Return the text that a message in HTML shows; raise MarkupRefused."""
    reader = _Reader()
    reader.feed(text)
    reader.close()
    if reader.open:
        raise MarkupRefused(
            f"can't parse entities: Can't find end tag corresponding to start tag \"{reader.open[-1]}\""
        )
    return "".join(reader.seen)
