"""Text from untrusted files and arguments, escaped for a terminal or an HTML page."""

from __future__ import annotations

from html import escape


def printable(text: str, limit: int | None = None) -> str:
    """`text` on one line, with control and other unprintable characters escaped.

    Args:
        text: from a file, an argument or a peer.
        limit: maximum number of characters of `text`; a longer one ends in three dots.
    """
    shown = text if limit is None or len(text) <= limit else text[: limit - 3] + "..."
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in shown)


def inert(text: str) -> str:
    """A cell of a CSV file: names are untrusted, and a spreadsheet would run a formula."""
    shown = printable(text)
    return f"'{shown}" if shown.startswith(("=", "+", "-", "@")) else shown


def markup(value: object) -> str:
    """Any value as escaped text of an HTML page."""
    return escape(printable(str(value)))
