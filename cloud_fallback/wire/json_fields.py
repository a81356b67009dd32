"""JSON objects from an untrusted peer, read field by field within bounds."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from ...edge_runtime.errors import ProtocolError

_T = TypeVar("_T")
MAX_NUMBER = 1e12
"""Above the size of every measured value."""


class Fields:
    """The fields of one JSON object, each read within its bounds; unknown ones are ignored.

    A field without a default must be there.

    Args:
        document: the object.
        where: what it is, for errors.
    """

    def __init__(self, document: Mapping[str, Any], where: str) -> None:
        self.document, self.where = document, where

    def _get(self, name: str, default: _T | None) -> Any:
        value = self.document.get(name, default)
        if value is None:
            raise self.invalid(name)
        return value

    def invalid(self, name: str) -> ProtocolError:
        """The error of a field that is missing or out of its bounds."""
        return ProtocolError(f"{self.where}: missing or invalid {name}")

    def text(self, name: str, limit: int, default: str | None = None) -> str:
        """Text of at most `limit` characters."""
        value = self._get(name, default)
        if not is_text(value, limit):
            raise self.invalid(name)
        return str(value)

    def one_of(self, name: str, choices: tuple[Any, ...], default: str | None = None) -> Any:
        """One of the texts in `choices`."""
        value = self.text(name, 40, default)
        if value not in choices:
            raise self.invalid(name)
        return value

    def flag(self, name: str, default: bool | None = None) -> bool:
        """True or false."""
        value = self._get(name, default)
        if not isinstance(value, bool):
            raise self.invalid(name)
        return value

    def whole(self, name: str, limit: int, default: int | None = None) -> int:
        """A whole number from 0 to `limit`."""
        value = self._get(name, default)
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= limit:
            raise self.invalid(name)
        return value

    def number(self, name: str, default: float | None = None) -> float:
        """A finite number."""
        return number(self._get(name, default), lambda: self.invalid(name))

    def items(self, name: str, read: Callable[[Any], _T], limit: int) -> tuple[_T, ...]:
        """At most `limit` items, each as `read` reads it; none where the field is missing."""
        value = self._get(name, [])
        if not isinstance(value, list) or len(value) > limit:
            raise self.invalid(name)
        return tuple(read(one) for one in value)

    def object(self, name: str) -> dict[str, Any]:
        """An object; an empty one where the field is missing."""
        value = self._get(name, {})
        if not isinstance(value, dict):
            raise self.invalid(name)
        return value


def read_object(text: str, limit: int) -> tuple[str, Fields]:
    """The `type` of a JSON object of at most `limit` characters, and its fields.

    Raises:
        ProtocolError: too long, not JSON, or not an object with a type.
    """
    if len(text) > limit:
        raise ProtocolError(f"a text message of {len(text)} characters")
    try:
        document = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise ProtocolError("a text message that is not JSON") from error
    if not isinstance(document, dict):
        raise ProtocolError("a text message that is not a JSON object")
    kind = Fields(document, "the message").text("type", 40)
    return kind, Fields(document, kind)


def _no_constant(name: str) -> float:
    raise ValueError(name)


def is_text(value: Any, limit: int) -> bool:
    """Whether a value is text of at most `limit` characters that UTF-8 can hold.

    JSON can write half of a character, a lone surrogate, which no file or hash takes.
    """
    if not isinstance(value, str) or len(value) > limit:
        return False
    return not any("\ud800" <= one <= "\udfff" for one in value)


def number(value: Any, error: Callable[[], ProtocolError]) -> float:
    """A finite number below 1e12 in size, which every measured value is; else raise `error()`."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise error()
    if not abs(value) < MAX_NUMBER or not math.isfinite(value):
        raise error()
    return float(value)
