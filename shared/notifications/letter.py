"""Renders a letter as HTML for mail programs, and as text. Knows no kind of notice.

All mail programs support tables and inline styles; some drop the style sheet in the head, which only adds the dark
mode. Nothing is wider than its column, so a phone shows the letter without scrolling sideways.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import Final

from shared.notifications.markup import attribute, plain
from shared.notifications.notice_text import Letter, Row, Section, Tone

_COLUMN_PX: Final = 600
_TILES_ABREAST: Final = 2

_COLOURS: Final = {Tone.PLAIN: "#16202c", Tone.GAIN: "#0a7a4c", Tone.LOSS: "#b93220"}
_CLASSES: Final = {Tone.PLAIN: "ink", Tone.GAIN: "gain", Tone.LOSS: "loss"}

_PAGE: Final = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="supported-color-schemes" content="light dark">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; }}
@media (prefers-color-scheme: dark) {{
.back {{ background: #0e1319 !important; }}
.card {{ background: #19212b !important; }}
.tile {{ background: #222c38 !important; }}
.ink {{ color: #f0f3f7 !important; }}
.soft {{ color: #a9b4c2 !important; }}
.gain {{ color: #4fd39a !important; }}
.loss {{ color: #ff8a76 !important; }}
.line {{ border-color: #303c4a !important; }}
}}
</style>
</head>
<body class="back" style="margin:0;padding:0;background:#eceff3;-webkit-text-size-adjust:100%">
<div style="display:none;max-height:0;overflow:hidden">{preview}</div>
<table role="presentation" class="back" width="100%" cellpadding="0" cellspacing="0" border="0" \
style="background:#eceff3">
<tr><td align="center" style="padding:16px 10px 24px">
<table role="presentation" class="card" width="100%" cellpadding="0" cellspacing="0" border="0" \
style="width:100%;max-width:{column_px}px;background:#ffffff;border-radius:14px;\
font-family:-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif">
<tr><td style="padding:26px 22px 22px">
{body}
</td></tr>
</table>
</td></tr>
</table>
</body>
</html>
"""
_HEAD: Final = """\
<div class="soft" style="font-size:14px;line-height:20px;font-weight:600;letter-spacing:.04em;color:#5b6776">\
Lockstep</div>
<h1 class="ink" style="margin:14px 0 2px;font-size:22px;line-height:28px;font-weight:700;color:#16202c">{heading}</h1>
<div class="soft" style="font-size:15px;line-height:22px;color:#5b6776">{subheading}</div>
<div class="{css}" style="margin:18px 0 0;font-size:34px;line-height:42px;font-weight:700;letter-spacing:-.01em;\
color:{colour}">{result}</div>
<div class="soft" style="margin:0 0 18px;font-size:15px;line-height:22px;color:#5b6776">{remark}</div>"""
_IMAGE: Final = (
    '<img src="cid:{name}" alt="{text}" width="100%" style="display:block;width:100%;height:auto;border:0;'
    'border-radius:10px;background:#ffffff;font-size:14px;line-height:20px;color:#5b6776">'
)
_TILES: Final = (
    '<table role="presentation" width="100%" cellpadding="0" cellspacing="0" border="0" '
    'style="margin:14px 0 0;table-layout:fixed">\n{rows}\n</table>'
)
_TILE: Final = (
    '<td class="tile" valign="top" width="50%" style="padding:12px 14px;background:#f4f6f9;border-radius:10px">'
    '<div class="soft" style="font-size:14px;line-height:20px;color:#5b6776">{label}</div>'
    '<div class="ink" style="font-size:18px;line-height:26px;font-weight:700;color:#16202c;'
    'overflow-wrap:anywhere">{value}</div>'
    '<div class="soft" style="font-size:14px;line-height:20px;color:#5b6776">{detail}</div></td>'
)
_GAP: Final = '<td style="width:10px;font-size:0;line-height:0">&nbsp;</td>'
_GAP_BELOW: Final = '<tr><td colspan="3" style="height:10px;font-size:0;line-height:0">&nbsp;</td></tr>'
_HEADING: Final = (
    '<h2 class="ink" style="margin:28px 0 4px;font-size:17px;line-height:24px;font-weight:700;color:#16202c">'
    "{heading}</h2>"
)
_ROWS: Final = (
    '<table role="presentation" width="100%" cellpadding="0" cellspacing="0" border="0" '
    'style="border-collapse:collapse">\n{rows}\n</table>'
)
_ROW: Final = (
    '<tr><td class="line ink" valign="top" style="padding:10px 12px 0 0;border-top:1px solid #e4e8ee;font-size:16px;'
    'line-height:22px;color:#16202c;overflow-wrap:anywhere">{label}</td>'
    '<td class="line {css}" valign="top" align="right" style="padding:10px 0 0;border-top:1px solid #e4e8ee;'
    'font-size:16px;line-height:22px;font-weight:600;white-space:nowrap;color:{colour}">{value}</td></tr>'
    '<tr><td class="soft" colspan="2" style="padding:0 0 10px;font-size:14px;line-height:20px;color:#5b6776;'
    'overflow-wrap:anywhere">{detail}</td></tr>'
)
_CLOSING: Final = (
    '<p class="soft line" style="margin:{above_px}px 0 0;padding:{padding_px}px 0 0;{border}font-size:14px;'
    'line-height:20px;color:#5b6776">{text}</p>'
)


_OPT_OUT: Final = (
    '<p class="soft" style="margin:10px 0 0;font-size:14px;line-height:20px;color:#5b6776">'
    '<a class="soft" href="{url}" style="color:#5b6776">Stop these letters</a></p>'
)
_OPT_OUT_BY_REPLY: Final = "If you would rather not get reports, answer this e-mail: we switch them off for you."


def html(letter: Letter, *, title: str, image: str | None, unsubscribe_url: str) -> str:
    """Return the page; it shows the attached image of that name, and links to where the letters are ended."""
    parts = [
        _HEAD.format(
            heading=plain(letter.heading),
            subheading=plain(letter.subheading),
            css=_CLASSES[letter.tone],
            colour=_COLOURS[letter.tone],
            result=plain(letter.result),
            remark=plain(letter.remark),
        )
    ]
    if image is not None:
        parts.append(_IMAGE.format(name=attribute(image), text=attribute(letter.image_text)))
    parts.append(_tiles(letter.figures))
    for section in letter.sections:
        parts.append(_HEADING.format(heading=plain(section.heading)))
        parts.append(_ROWS.format(rows="\n".join(map(_row, section.rows))))
    for number, sentence in enumerate(letter.closing):
        first = number == 0
        parts.append(
            _CLOSING.format(
                text=plain(sentence),
                above_px=26 if first else 10,
                padding_px=16 if first else 0,
                border="border-top:1px solid #e4e8ee;" if first else "",
            )
        )
    if unsubscribe_url:
        parts.append(_OPT_OUT.format(url=escape(unsubscribe_url, quote=True)))
    else:
        parts.append(_CLOSING.format(text=plain(_OPT_OUT_BY_REPLY), above_px=10, padding_px=0, border=""))
    preview = f"{letter.subheading}: {letter.result}, {letter.remark}"
    return _PAGE.format(title=plain(title), preview=plain(preview), column_px=_COLUMN_PX, body="\n".join(parts))


def text(letter: Letter, *, unsubscribe_url: str) -> str:
    """Return the letter as text, with the image's description, and where the letters are ended."""
    opt_out = f"Stop these letters: {unsubscribe_url}" if unsubscribe_url else _OPT_OUT_BY_REPLY
    return "\n".join([*_lines(letter), "", opt_out]) + "\n"


def _lines(letter: Letter) -> Iterator[str]:
    yield letter.heading
    yield letter.subheading
    yield ""
    yield f"{letter.result}, {letter.remark}"
    yield letter.image_text
    yield ""
    yield from map(_line, letter.figures)
    for section in letter.sections:
        yield from _section_lines(section)
    for sentence in letter.closing:
        yield ""
        yield sentence


def _section_lines(section: Section) -> Iterator[str]:
    yield ""
    yield section.heading
    yield "-" * len(section.heading)
    yield from map(_line, section.rows)


def _line(row: Row) -> str:
    return f"{row.label}: {row.value} ({row.detail})" if row.detail else f"{row.label}: {row.value}"


def _tiles(figures: tuple[Row, ...]) -> str:
    tiles = [_TILE.format(label=plain(one.label), value=plain(one.value), detail=plain(one.detail)) for one in figures]
    pairs = [tiles[start : start + _TILES_ABREAST] for start in range(0, len(tiles), _TILES_ABREAST)]
    return _TILES.format(rows=f"\n{_GAP_BELOW}\n".join(f"<tr>{_GAP.join(pair)}</tr>" for pair in pairs))


def _row(row: Row) -> str:
    return _ROW.format(
        label=plain(row.label),
        detail=plain(row.detail),
        value=plain(row.value),
        css=_CLASSES[row.tone],
        colour=_COLOURS[row.tone],
    )
