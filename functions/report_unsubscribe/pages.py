"""The two small pages that a reader sees. They show nothing of the user: whoever has the letter has the link."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from shared.notifications.notice_types import NoticeKind

HEADERS: Final[Mapping[str, str]] = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'",
    "referrer-policy": "no-referrer",
}
"""The address holds the token, which must reach nobody else."""

_PAGE: Final = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
</head>
<body style="max-width:32em;margin:3em auto;padding:0 1em;font:17px/1.5 system-ui,sans-serif">
<h1 style="font-size:1.4em">{title}</h1>
{content}
</body>
</html>
"""

# Without an action a form goes to the page's own address, with the token in it.
_QUESTION: Final = """\
<p>You will get no more of these letters. Everything else goes on.</p>
<form method="post">
<input type="hidden" name="List-Unsubscribe" value="One-Click">
<button style="font:inherit;padding:.5em 1em">Stop the {letters}</button>
</form>"""


def question(kind: NoticeKind) -> str:
    """Return the page that asks whether to end the letters: opening it changes nothing."""
    return _PAGE.format(
        title=f"Stop the {_letters(kind)}?",
        content=_QUESTION.format(letters=_letters(kind)),
    )


def confirmation(kind: NoticeKind) -> str:
    """Return the page that says that the letters have ended."""
    return _PAGE.format(
        title=f"You get no more {_letters(kind)}",
        content="<p>Your account's notification settings switch them on again.</p>",
    )


def _letters(kind: NoticeKind) -> str:
    match kind:
        case NoticeKind.WEEKLY_REPORT:
            return "weekly reports"
        case NoticeKind.MONTHLY_REPORT:
            return "monthly reports"
        case _:
            raise ValueError(f"{kind} has no link")
