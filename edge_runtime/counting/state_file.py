"""The state file: a saved count on disk, whole at any moment."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from ..errors import StateError, UsageError
from ..files import write_all

FORMAT = "tallylens-state-1"
MAX_BYTES = 256 << 20


class StateFile:
    """Saves a count atomically: a reader sees the last whole one. See `StateStore`.

    Args:
        path: where; its folder must exist.

    Raises:
        UsageError: a folder, or in a folder that is missing or cannot be written to.
    """

    def __init__(self, path: Path) -> None:
        folder = path.resolve().parent
        if path.is_dir() or not folder.is_dir() or not os.access(folder, os.W_OK):
            raise UsageError(
                f"the state cannot be saved to {path}",
                "Use a file in a folder that can be written to",
            )
        self.path = path

    @property
    def name(self) -> str:
        """The path, as messages show it."""
        return str(self.path)

    def save(self, document: dict[str, Any]) -> None:
        """Replace the file.

        Raises:
            UnavailableError, InputError: the disk is full, or the folder gone.
        """
        body = json.dumps(document, separators=(",", ":")).encode()
        header = f"{FORMAT} {hashlib.sha256(body).hexdigest()}\n".encode()
        write_all({self.path: header + body})

    def load(self) -> dict[str, Any] | None:
        """The document saved last, None if there is no file.

        Raises:
            StateError: the file is damaged, or not a state file.
        """
        try:
            with self.path.open("rb") as file:
                header, body = file.readline(256), file.read(MAX_BYTES + 1)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StateError(error.strerror or "it cannot be read", self.path) from error
        form, _, digest = header.strip().partition(b" ")
        if form != FORMAT.encode() or len(body) > MAX_BYTES:
            raise StateError("it is not a state file of this version of tallylens", self.path)
        if hashlib.sha256(body).hexdigest().encode() != digest:
            raise StateError("it is damaged", self.path)
        document = json.loads(body)
        if not isinstance(document, dict):
            raise StateError("it is damaged", self.path)
        return document
