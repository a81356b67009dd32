"""Words of an untrusted file, made fit for a message."""

from __future__ import annotations


def printable(text: str, limit: int = 80) -> str:
    """At most `limit` characters of `text`, with `?` for all that a terminal would obey."""
    shown = text if len(text) <= limit else text[: limit - 3] + "..."
    return "".join(character if character.isprintable() else "?" for character in shown)
