"""Text from files and arguments, made fit for a terminal or a page."""

from __future__ import annotations

from html import escape


def printable(text: str) -> str:
    """`text` on one line, with escapes in place of all that a terminal would obey."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def markup(value: object) -> str:
    """Any value as text of an HTML page that is only ever text."""
    return escape(printable(str(value)))
