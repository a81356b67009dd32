"""Building blocks of HTML pages that need no script, no other file and no network.

Names come from models, files and users: every one is escaped, and the page's content policy
forbids scripts and requests besides.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from pathlib import Path
from string import Template

from ..sources.opencv import load_cv2
from ..text import markup
from ..types import Image
from ..version import __version__

TEMPLATE = Path(__file__).with_name("page.html")
JPEG_QUALITY = 80


def page(title: str, subtitle: str, parts: Iterable[str], footer: str) -> str:
    """The whole page; `parts` are HTML, the rest is text."""
    return Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        version=markup(__version__),
        title=markup(title),
        subtitle=markup(subtitle),
        body="\n".join(part for part in parts if part),
        footer=markup(footer),
    )


def cards(entries: Iterable[tuple[str, object]]) -> str:
    """Cards: large figures, each with a label."""
    items = (
        f'<div class="card"><b>{markup(figure(value))}</b><span>{markup(label)}</span></div>'
        for label, value in entries
    )
    return f'<div class="cards">{"".join(items)}</div>'


def notes(sentences: Sequence[str]) -> str:
    """A section of notes; empty without any."""
    if not sentences:
        return ""
    items = "".join(f"<li>{markup(sentence)}</li>" for sentence in sentences)
    return f'<section class="notes"><h2>Notes</h2><ul>{items}</ul></section>'


def section(title: str, body: str, *, long: bool = False) -> str:
    """A titled part of the page; `long` ones may break over printed pages."""
    kind = ' class="long"' if long else ""
    return f"<section{kind}><h2>{markup(title)}</h2>{body}</section>"


def table(
    head: Sequence[str],
    rows: Iterable[Sequence[object]],
    total: Sequence[object] | None = None,
    texts: int = 1,
) -> str:
    """An HTML table; the first `texts` columns are words, the others figures."""

    def line(cells: Sequence[object], tag: str) -> str:
        parts = (
            f"<{tag}{' class=text' if i < texts else ''}>{markup(figure(cell))}</{tag}>"
            for i, cell in enumerate(cells)
        )
        return f"<tr>{''.join(parts)}</tr>"

    body = "".join(line(row, "td") for row in rows)
    foot = f"<tfoot>{line(total, 'td')}</tfoot>" if total is not None else ""
    return (
        f'<div class="scroll"><table><thead>{line(head, "th")}</thead>'
        f"<tbody>{body}</tbody>{foot}</table></div>"
    )


def figure(value: object) -> str:
    """A value as text, with thousands separated."""
    return f"{value:,}" if isinstance(value, int) else str(value)


def bars(entries: Sequence[tuple[str, float, str]]) -> str:
    """One bar per row: label, length and the text behind it."""
    longest = max((length for _, length, _ in entries), default=0) or 1
    rows = (
        f"<span>{markup(label)}</span>"
        f'<div><i style="width:{100 * length / longest:.1f}%"></i></div><b>{markup(value)}</b>'
        for label, length, value in entries
    )
    return f'<div class="share">{"".join(rows)}</div>'


def photograph(image: Image, caption: str) -> str:
    """A (height, width, 3) uint8 BGR image inside the page."""
    cv2 = load_cv2()
    quality = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    return picture(cv2.imencode(".jpg", image, quality)[1].tobytes(), caption)


def picture(jpeg: bytes, caption: str) -> str:
    """A JPEG inside the page."""
    data = base64.b64encode(jpeg).decode()
    return (
        f'<figure><img class="frame" alt="{markup(caption)}" src="data:image/jpeg;base64,{data}">'
        f"<figcaption>{markup(caption)}</figcaption></figure>"
    )
