"""Class names as people have them: in a model's own metadata, a data set's YAML, or a text file.

All of it is untrusted text: it is bounded before it is parsed, and nothing in it is evaluated but
single string literals.
"""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from .errors import InputError
from .metadata import MAX_CLASSES

MAX_TEXT = 1 << 20
MAX_NAME = 200

# In YAML a quote is doubled.
_STRING = r"""(?:'(?:[^'\\\n]|\\.|'')*'|"(?:[^"\\\n]|\\.)*")"""
# One name, and before it the number that a dictionary gives it. YAML needs no quotes.
_NUMBER = r"""(?:["']?(\d{1,6})["']?\s*:\s*)?"""
_BARE = r"""[^\s'",:\[\]{}#][^'",\[\]{}#\n]*?"""
# YAML reads names such as 7 or yes as what they say, and exporters write that.
_QUOTED_ITEM = re.compile(
    rf"\s*{_NUMBER}({_STRING}|-?\d{{1,9}}(?:\.\d{{1,9}})?|True|False)\s*(,|$)"
)
_ITEM = re.compile(rf"\s*{_NUMBER}({_STRING}|{_BARE})\s*(,|$)")
_SPACE = re.compile(r"\s*$")
_BLOCK_ITEM = re.compile(rf"\s*(?:-\s+|{_NUMBER})({_STRING}|[^-\s'\"#][^#]*?)\s*(?:#.*)?")
_KEY = re.compile(r"""(?:^|[{,\s])["']?names["']?\s*:[ \t]*(?:#.*)?""")
GIVE_NAMES = "Give its class names with --names FILE"
_ADVICE = "Give a text file with one name per line, or the data set's YAML file with `names:`"


def parse_names(text: str, count: int) -> tuple[str, ...] | None:
    """`count` names from `{0: 'person', 1: 'car'}` or `['person', 'car']`; None if they are not.

    A class that the text leaves out is called class0, class1 and so on.
    """
    return _complete(_flow(text.strip(), _QUOTED_ITEM), count)


def numbered_names(count: int) -> tuple[str, ...]:
    """Names for classes without any: class0, class1 and so on."""
    return tuple(f"class{number}" for number in range(count))


def are_numbered(names: Sequence[str]) -> bool:
    """Whether these are the names of classes without any."""
    return tuple(names) == numbered_names(len(names))


def find_names(text: str) -> tuple[str, ...] | None:
    """The names under the key `names` of JSON, YAML, or the text of a Python dictionary."""
    if len(text) > MAX_TEXT:
        return None
    key = _KEY.search(text)
    if key is None:
        return None
    rest = text[key.end() :].lstrip(" \t")
    is_flow = rest[:1] in ("{", "[")
    names = _flow(rest[: _end_of_flow(rest)], _ITEM) if is_flow else _block(rest)
    return _complete(names, max(names) + 1) if names else None


def read_names(path: str | os.PathLike[str]) -> tuple[str, ...]:
    """The class names in a text file with one per line, or in YAML or JSON under `names`.

    Raises:
        InputError: unreadable, larger than 1 MiB, or no names.
    """
    file = Path(path)
    try:
        with file.open("rb") as opened:
            content = opened.read(MAX_TEXT + 1)
        text = content.decode("utf-8-sig")
    except OSError as error:
        raise InputError(file, error.strerror or "cannot be read", _ADVICE) from error
    except UnicodeDecodeError as error:
        raise InputError(file, "is not text", _ADVICE) from error
    if len(content) > MAX_TEXT:
        raise InputError(file, "is larger than 1 MiB", _ADVICE)
    names = find_names(text) if _KEY.search(text) else _from_flow_or_lines(text)
    if not names or len(names) > MAX_CLASSES or any(len(name) > MAX_NAME for name in names):
        raise InputError(
            file,
            f"holds no list of 1 to {MAX_CLASSES} class names of at most {MAX_NAME} characters",
            _ADVICE,
        )
    return names


def _from_flow_or_lines(text: str) -> tuple[str, ...] | None:
    stripped = text.strip()
    if stripped[:1] in ("{", "["):
        names = _flow(stripped, _ITEM)
        return _complete(names, max(names) + 1) if names else None
    lines = (line.strip() for line in stripped.splitlines())
    return tuple(line for line in lines if line and line.isprintable())


def _flow(text: str, item: re.Pattern[str]) -> dict[int, str] | None:
    """The items of `{...}` or `[...]` by number; None if it is not such a list of names."""
    if len(text) > MAX_TEXT or text[:1] + text[-1:] not in ("{}", "[]"):
        return None
    return _numbered(_items(text[1:-1], item))


def _items(body: str, item: re.Pattern[str]) -> Iterator[re.Match[str] | None]:
    """The items of the body of a list; None for anything else."""
    position = 0
    while _SPACE.match(body, position) is None:
        match = item.match(body, position)
        yield match
        if match is None:
            return
        position = match.end()


def _block(text: str) -> dict[int, str] | None:
    """The items of a YAML block that follows its key, up to the next key."""

    def lines() -> Iterator[re.Match[str] | None]:
        for line in text.splitlines()[1:]:
            if line.strip() and not line.lstrip().startswith("#"):
                if not line[0].isspace() and not line.startswith("-"):
                    return
                yield _BLOCK_ITEM.fullmatch(line)

    return _numbered(lines())


def _numbered(items: Iterator[re.Match[str] | None]) -> dict[int, str] | None:
    names: dict[int, str] = {}
    for match in items:
        name = None if match is None else _text_of(match[2])
        if match is None or name is None or len(names) > MAX_CLASSES:
            return None
        names[len(names) if match[1] is None else int(match[1])] = name
    return names


def _end_of_flow(text: str) -> int:
    """The position after the bracket that closes the one at the start; nothing nests in names."""
    closing = "}" if text[0] == "{" else "]"
    for match in re.finditer(rf"{_STRING}|[}}\]]", text):
        if match[0] == closing:
            return match.end()
    return len(text)


def _text_of(item: str) -> str | None:
    if item[:1] not in ("'", '"'):
        return item.strip()[:MAX_NAME]
    if item[0] == "'" and "''" in item[1:-1]:
        return item[1:-1].replace("''", "'")[:MAX_NAME]
    try:
        value = ast.literal_eval(item)
    except (ValueError, SyntaxError):
        return None
    return value[:MAX_NAME] if isinstance(value, str) else None


def _complete(names: dict[int, str] | None, count: int) -> tuple[str, ...] | None:
    if not names or max(names) >= min(count, MAX_CLASSES):
        return None
    return tuple(names.get(number, f"class{number}") for number in range(count))
