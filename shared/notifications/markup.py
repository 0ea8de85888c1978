"""Texts as they may stand in HTML, in a page and in a message alike: on one line, cut, escaped."""

from __future__ import annotations

from html import escape

from shared.notifications.formatting import short


def plain(text: str) -> str:
    """Return the text as it may stand between tags."""
    return escape(short(text), quote=False)


def attribute(text: str) -> str:
    """Return the text as it may stand in a quoted attribute."""
    return escape(short(text), quote=True)
