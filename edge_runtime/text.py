"""Text from files and arguments, made fit for a terminal or a page."""

from __future__ import annotations

from html import escape


def printable(text: str, limit: int | None = None) -> str:
    """`text` on one line, with escapes in place of all that a terminal would obey.

    Args:
        text: from a file, an argument or a peer.
        limit: at most so many characters of `text` are shown, the last three as dots; None: all.
    """
    shown = text if limit is None or len(text) <= limit else text[: limit - 3] + "..."
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in shown)


def markup(value: object) -> str:
    """Any value as text of an HTML page that is only ever text."""
    return escape(printable(str(value)))
