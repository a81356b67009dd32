"""Class names from dictionaries, YAML, JSON and plain text."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tallylens.edge_runtime.class_names import find_names, parse_names, read_names
from tallylens.edge_runtime.errors import InputError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("path: ..\nnames:\n  0: person\n  1: fire truck # x\n\nnc: 2\n", "person|fire truck"),
        ("names: ['person', \"it's\"]\n", "person|it's"),
        ("nc: 2\nnames: [a, b c,\n  d] # all\n", "a|b c|d"),
        ("names:\n- person\n- 'it''s'\n- \"q\"\nnc: 1", "person|it's|q"),
        ("names:  # of the data set\n  1: b\n  0: a\n", "a|b"),
        ("{'stride': 32, 'names': {0: 'person', 1: 'car'}, 'task': 'detect'}", "person|car"),
        ('{"task": "detect", "names": {"0": "person", "1": "car"}}', "person|car"),
        ("[a, b]", "a|b"),
        ("{0: a, 1: b}", "a|b"),
        ("person\nbicycle\n\n traffic light \n", "person|bicycle|traffic light"),
        ("\ufeffperson\r\ncar\r\n", "person|car"),
    ],
)  # fmt: skip
def test_files_as_people_have_them(tmp_path: Path, text: str, expected: str) -> None:
    path = tmp_path / "names"
    path.write_text(text, encoding="utf-8", newline="")
    assert read_names(path) == tuple(expected.split("|"))


@pytest.mark.parametrize(
    "content",
    [b"", b"\n\n", b"\xff\xfe\x00", b"names: [a, [b]]\n[", b"x" * (1 << 20 | 1), b"a\n" * 10_001],
)
def test_files_without_names(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "names"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_names(path)
    assert "one name per line" in caught.value.remedy


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        read_names(tmp_path / "none.txt")


@settings(deadline=None, max_examples=300)
@given(st.text(alphabet="names:{}[]'\",-\\ \n01ab#é", max_size=60))
def test_any_text_gives_names_or_none(text: str) -> None:
    found = find_names("names:" + text)
    assert found is None or all(isinstance(name, str) for name in found)
    with suppress(InputError):
        find_names(text)


LONG = {
    "items": "names: [" + "a," * 500_000,
    "quotes": "names: ['" * 100_000,
    "block": "names:\n" + "- a\n" * 250_000,
    "keys": " names" * 170_000,
}


@pytest.mark.parametrize("name", LONG)
def test_long_texts_hold_no_names(name: str) -> None:
    assert find_names(LONG[name][: 1 << 20]) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{0: 'a', 1: 'b'}", ("a", "b")),
        ("{1: 'b'}", ("class0", "b")),
        ("['a', \"b\"]", ("a", "b")),
        ("['a', 'b',]", ("a", "b")),
        (r"{0: 'it\'s', 1: '\u00e9'}", ("it's", "é")),
        ("{0: 7, 1: True}", ("7", "True")),
        ("[1, 2.5]", ("1", "2.5")),
        ("{0: 'a', 1: 'b', 2: 'c'}", None),
        ("{}", None),
        ("", None),
        ("{0: a}", None),
        ("{0: 'a' 1: 'b'}", None),
        ("{0: __import__('os').system('touch sentinel')}", None),
        ("{0: 'a', 1: 'b'} or exit()", None),
        ("[" * 100_000 + "]" * 100_000, None),
        ("{0: '" + "x" * (1 << 21) + "'}", None),
    ],
)
def test_parse_names(text: str, expected: tuple[str, ...] | None) -> None:
    assert parse_names(text, 2) == expected
