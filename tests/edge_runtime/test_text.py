"""Text of untrusted files, shown on a terminal or a page."""

from __future__ import annotations

import pytest

from tallylens.edge_runtime.text import markup, printable


@pytest.mark.parametrize(
    ("text", "limit", "shown"),
    [
        ("car", None, "car"),
        ("a\x1b[2Jb\nc", None, "a\\x1b[2Jb\\nc"),
        ("Straße", None, "Straße"),
        ("abcdefgh", 8, "abcdefgh"),
        ("abcdefghi", 8, "abcde..."),
    ],
)
def test_printable(text: str, limit: int | None, shown: str) -> None:
    assert printable(text, limit) == shown


def test_markup_is_only_ever_text() -> None:
    assert markup("<b>\x07") == "&lt;b&gt;\\x07"
