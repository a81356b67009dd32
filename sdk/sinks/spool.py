"""The spool: undelivered messages in a file, from which the next count sends them."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

from tallylens.edge_runtime.errors import InputError, TallyLensError, UsageError
from tallylens.edge_runtime.files import write_all
from tallylens.sinks.transport import Message

MAX_LINE_BYTES = 1 << 20


class Spool:
    """Keeps messages as JSON lines, appended while a receiver is away.

    Args:
        folder: where the file is; it is created with the first message.
        key: name of the file.
        limit: maximum number of messages.

    Raises:
        UsageError: `folder` is a file.
    """

    def __init__(self, folder: Path, key: str, limit: int) -> None:
        if folder.exists() and not folder.is_dir():
            raise UsageError(f"{folder} is not a folder", "Name a folder with --spool")
        self.path = folder / f"{key}.jsonl"
        self._limit = limit
        self._ids: set[str] = set()

    def load(self) -> list[Message]:
        """The last `limit` messages; a line that was cut off is ignored.

        Raises:
            InputError: the file cannot be read.
        """
        messages: dict[str, Message] = {}
        try:
            with self.path.open("rb") as file:
                while line := file.readline(MAX_LINE_BYTES):
                    message = _parse(line)
                    if message is not None:
                        messages[message.id] = message
        except FileNotFoundError:
            return []
        except OSError as error:
            reason = error.strerror or "cannot be read"
            raise InputError(self.path, reason, "Choose another folder with --spool") from error
        self._ids = set(messages)
        return list(messages.values())[-self._limit :]

    def save(self, waiting: Sequence[Message], *, compact: bool = False) -> None:
        """Make the file hold at least the messages that wait; with `compact`, only those.

        Raises:
            InputError, UnavailableError, OSError: it cannot be written.
        """
        if not waiting:
            if self._ids:
                self.path.unlink(missing_ok=True)
                self._ids = set()
            return
        new = [message for message in waiting if message.id not in self._ids]
        stale = len(self._ids) + len(new) - len(waiting)
        if stale > self._limit or (compact and stale):
            write_all({self.path: _lines(waiting)})
            self._ids = {message.id for message in waiting}
        elif new:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("ab") as file:
                # A line that was cut off by a crash ends here.
                file.write((b"\n" if file.tell() else b"") + _lines(new))
                file.flush()
                os.fsync(file.fileno())
            self._ids.update(message.id for message in new)


SPOOL_ERRORS = (TallyLensError, OSError)


def _lines(messages: Sequence[Message]) -> bytes:
    return "".join(
        json.dumps({"count": one.count, "sequence": one.sequence, "body": one.body}) + "\n"
        for one in messages
    ).encode()


def _parse(line: bytes) -> Message | None:
    try:
        document = json.loads(line)
        return Message(str(document["count"]), int(document["sequence"]), dict(document["body"]))
    except (ValueError, KeyError, TypeError):
        return None
