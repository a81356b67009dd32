"""The API key of a client: from the environment or a file; never from a URL or an argument."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from ...edge_runtime.errors import InputError, UsageError

VARIABLE = "TALLYLENS_API_KEY"
FILE_VARIABLE = "TALLYLENS_API_KEY_FILE"
MAX_KEY = 4096


class Secret:
    """A text that `repr` and logs do not show."""

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The text itself, for the header that needs it."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(...)"


def find_key(environment: Mapping[str, str] | None = None) -> Secret:
    """The key or token in TALLYLENS_API_KEY, or in the file that TALLYLENS_API_KEY_FILE names.

    Raises:
        UsageError: missing or invalid.
        InputError: the file cannot be read.
    """
    environment = os.environ if environment is None else environment
    value = environment.get(VARIABLE, "").strip()
    if not value and environment.get(FILE_VARIABLE):
        value = _read(Path(environment[FILE_VARIABLE]))
    if not value:
        raise UsageError("no API key", f"Set {VARIABLE}, or {FILE_VARIABLE} to a file")
    if len(value) > MAX_KEY or not value.isascii() or not value.isprintable() or " " in value:
        raise UsageError(f"{VARIABLE} is not a valid key", "Copy it again from tallylens serve")
    return Secret(value)


def _read(path: Path) -> str:
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return file.read(MAX_KEY + 2).strip()
    except OSError as error:
        reason = error.strerror or "cannot be read"
        raise InputError(path, reason, "Check the path and its permissions") from error
