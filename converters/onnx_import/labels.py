"""Class names from the exporter's metadata: the text of a Python dictionary or list."""

from __future__ import annotations

import ast
import re

from ...edge_runtime.metadata import MAX_CLASSES

MAX_TEXT = 1 << 20
MAX_NAME = 200

# One string literal, and before it the number that a dictionary gives it. Only this much of
# Python is ever looked at: nothing nests, nothing is evaluated but the literal itself.
_STRING = r"""(?:'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*")"""
_ITEM = re.compile(rf"\s*(?:(\d{{1,6}})\s*:\s*)?({_STRING})\s*(,|$)")


def parse_names(text: str, count: int) -> tuple[str, ...] | None:
    """`count` names from `{0: 'person', 1: 'car'}` or `['person', 'car']`; None if they are not.

    A class that the text leaves out is called class0, class1 and so on.
    """
    text = text.strip()
    if len(text) > MAX_TEXT or text[:1] + text[-1:] not in ("{}", "[]"):
        return None
    names: dict[int, str] = {}
    body, position = text[1:-1], 0
    while body[position : position + 1] and len(names) <= MAX_CLASSES:
        match = _ITEM.match(body, position)
        if match is None:
            return None if body[position:].strip() else _complete(names, count)
        number = len(names) if match[1] is None else int(match[1])
        name = _literal(match[2])
        if name is None:
            return None
        names[number] = name
        position = match.end()
    return _complete(names, count)


def _literal(text: str) -> str | None:
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return None
    return value[:MAX_NAME] if isinstance(value, str) else None


def _complete(names: dict[int, str], count: int) -> tuple[str, ...] | None:
    if not names or max(names) >= count:
        return None
    return tuple(names.get(number, f"class{number}") for number in range(count))
