"""Text from files and arguments, made fit for a terminal."""

from __future__ import annotations


def printable(text: str) -> str:
    """`text` on one line, with escapes in place of all that a terminal would obey."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
