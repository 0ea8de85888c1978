"""Makes texts safe for HTML, in pages and in messages: on one line, shortened, escaped."""

from __future__ import annotations

from html import escape

from shared.notifications.formatting import short


def plain(text: str) -> str:
    """Return the text escaped for use between tags."""
    return escape(short(text), quote=False)


def attribute(text: str) -> str:
    """Return the text escaped for use in a quoted attribute."""
    return escape(short(text), quote=True)
