"""A count on the disk, whole at any moment, so that another process can go on with it."""

from __future__ import annotations

import hashlib
import json
import os
import time
from pathlib import Path
from typing import Any

from ..errors import StateError, UsageError
from ..files import write_all

FORMAT = "tallylens-state-1"
MAX_BYTES = 256 << 20
EVERY_S = 5.0


class StateFile:
    """Saves documents now and then, atomically: a reader sees the last whole one.

    Args:
        path: where; its folder must exist.
        every_s: least seconds between two saves.

    Raises:
        UsageError: a folder, or in none that exists and can be written to.
    """

    def __init__(self, path: Path, every_s: float = EVERY_S) -> None:
        folder = path.resolve().parent
        if path.is_dir() or not folder.is_dir() or not os.access(folder, os.W_OK):
            raise UsageError(
                f"the state cannot be kept in {path}", "Give a file in a folder that can be written"
            )
        self.path = path
        self._every_s = every_s
        self._next = time.monotonic() + every_s

    @property
    def is_due(self) -> bool:
        """Whether it is time to save again."""
        return time.monotonic() >= self._next

    def save(self, document: dict[str, Any]) -> None:
        """Replace what is there.

        Raises:
            UnavailableError, InputError: the disk is full, or the folder gone.
        """
        body = json.dumps(document, separators=(",", ":")).encode()
        header = f"{FORMAT} {hashlib.sha256(body).hexdigest()}\n".encode()
        write_all({self.path: header + body})
        self._next = time.monotonic() + self._every_s

    def load(self) -> dict[str, Any] | None:
        """What was saved last, None where nothing is.

        Raises:
            StateError: the file is damaged, or none of ours.
        """
        try:
            with self.path.open("rb") as file:
                header, body = file.readline(256), file.read(MAX_BYTES + 1)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self.bad(error.strerror or "it cannot be read") from error
        form, _, digest = header.strip().partition(b" ")
        if form != FORMAT.encode() or len(body) > MAX_BYTES:
            raise self.bad("it is no state of this version of tallylens")
        if hashlib.sha256(body).hexdigest().encode() != digest:
            raise self.bad("it is damaged")
        document = json.loads(body)
        if not isinstance(document, dict):
            raise self.bad("it is damaged")
        return document

    def bad(self, problem: str) -> StateError:
        """The error about this file."""
        return StateError(problem, self.path)
