"""Renders a notice's text for each channel: escaped, and laid out. Knows no kind of notice."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from shared.notifications import letter
from shared.notifications.formatting import short
from shared.notifications.markup import attribute, plain
from shared.notifications.notice_text import Fact, NoticeText

_SUBJECT_PREFIX: Final = "Lockstep: "

# One column, inline styles and no wider than a phone: what mail programs agree on.
_PAGE: Final = """\
<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title></head>
<body style="margin:0;padding:16px;background:#f4f5f7;font-family:-apple-system,Segoe UI,Roboto,Arial,sans-serif">
<div style="max-width:560px;margin:0 auto;padding:20px;background:#ffffff;border-radius:8px;color:#1c1e21">
<h1 style="margin:0 0 16px;font-size:20px;line-height:1.3">{title}</h1>
{body}
<p style="margin:20px 0 0;font-size:12px;color:#6b7280">You get this message because you have an account with \
Lockstep.</p>
</div>
</body>
</html>
"""
_SENTENCE: Final = '<p style="margin:0 0 12px;font-size:16px;line-height:1.45">{text}</p>'
_TABLE: Final = (
    '<table role="presentation" style="width:100%;border-collapse:collapse;font-size:16px">\n{rows}\n</table>'
)
_ROW: Final = (
    '<tr><td style="padding:6px 12px 6px 0;color:#6b7280;vertical-align:top;white-space:nowrap">{label}</td>'
    '<td style="padding:6px 0;text-align:right;word-break:break-word">{value}</td></tr>'
)
_IMAGE: Final = '<p style="margin:0 0 16px"><img src="cid:{name}" alt="{title}" style="width:100%;height:auto"></p>'


@dataclass(frozen=True, slots=True)
class Mail:
    """A rendered e-mail."""

    subject: str
    text: str
    html: str
    opt_out_by_reply: bool = False
    """True for letters that the reader may opt out of, by answering the e-mail."""
    unsubscribe_url: str = ""
    """Where the reader opts out without signing in, if there is such a page."""


def telegram_text(notice: NoticeText) -> str:
    """Return the message for `parse_mode=HTML`."""
    lines = [f"<b>{plain(notice.title)}</b>"]
    for line in notice.lines:
        match line:
            case Fact(label, value):
                lines.append(f"{plain(label)}: {plain(value)}")
            case str():
                lines.append(plain(line))
    return "\n".join(lines)


def mail(notice: NoticeText, *, images: Iterable[str] = (), unsubscribe_url: str = "") -> Mail:
    """Return the e-mail; it shows the notice's image if `images`, the names of the attached ones, has it.

    `unsubscribe_url` is for letters, and must not be shared by two readers.
    """
    title = short(notice.title)
    subject = f"{_SUBJECT_PREFIX}{title}"
    image = notice.image if notice.image in set(images) else None
    if notice.letter is not None:
        return Mail(
            subject=subject,
            text=letter.text(notice.letter, unsubscribe_url=unsubscribe_url),
            html=letter.html(notice.letter, title=title, image=image, unsubscribe_url=unsubscribe_url),
            opt_out_by_reply=True,
            unsubscribe_url=unsubscribe_url,
        )
    text = [title, ""]
    parts = []
    if image is not None:
        parts.append(_IMAGE.format(name=attribute(image), title=attribute(title)))
    rows: list[str] = []
    for line in notice.lines:
        match line:
            case Fact(label, value):
                text.append(f"{short(label)}: {short(value)}")
                rows.append(_ROW.format(label=plain(label), value=plain(value)))
            case str():
                text.append(short(line))
                parts += _table(rows)
                rows = []
                parts.append(_SENTENCE.format(text=plain(line)))
    parts += _table(rows)
    html = _PAGE.format(title=plain(title), body="\n".join(parts))
    return Mail(subject=subject, text="\n".join(text) + "\n", html=html)


def _table(rows: list[str]) -> list[str]:
    return [_TABLE.format(rows="\n".join(rows))] if rows else []
