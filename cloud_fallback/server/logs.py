"""Logs as one JSON object per line on stderr. No image, key, token or header is ever logged."""

from __future__ import annotations

import atexit
import json
import logging
import time
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime

from .log_writer import LineHandler, LineWriter

_OWN = frozenset(vars(logging.makeLogRecord({}))) | {
    "message",
    "asctime",
    "taskName",
    "color_message",
}
# At DEBUG these write headers and the first bytes of every message.
_VERBOSE = ("asyncio", "uvicorn.error", "uvicorn.access", "websockets", "websockets.client")


class JsonLines(logging.Formatter):
    """`time`, `level`, `what`, and the fields that were given as `extra`."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line of JSON."""
        when = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line = {"time": when, "level": record.levelname.lower(), "what": record.getMessage()}
        line |= {name: value for name, value in vars(record).items() if name not in _OWN}
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


class RateLimitedLog:
    """Warnings that any client can cause: one line for each kind in some seconds, with a count."""

    def __init__(self, log: logging.Logger, every_s: float = 10.0) -> None:
        self._log, self._every_s = log, every_s
        self._last: dict[str, float] = {}
        self._omitted: Counter[str] = Counter()

    def warning(self, what: str, kind: str, fields: Mapping[str, object]) -> None:
        """Log, or count towards the next line of this kind."""
        now = time.monotonic()
        if now - self._last.get(kind, -self._every_s) < self._every_s:
            self._omitted[kind] += 1
            return
        self._last[kind] = now
        self._log.warning(what, extra={**fields, "omitted": self._omitted.pop(kind, 0)})


def silence_libraries() -> None:
    """Keep libraries from logging what they carry, whatever level is asked for."""
    for name in _VERBOSE:
        logging.getLogger(name).setLevel(logging.WARNING)


def log_as_json(level: str, descriptor: int = 2) -> LineWriter:
    """Send the service's log to stderr, or another file descriptor; it never blocks.

    The writer that is returned takes other lines for the same place.
    """
    writer = LineWriter(descriptor)
    atexit.register(writer.flush)
    handler = LineHandler(writer)
    handler.setFormatter(JsonLines())
    for name in ("tallylens", "uvicorn", "asyncio"):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(level.upper())
    # Of other libraries only warnings; without a handler Python would write to stderr itself.
    logging.getLogger().handlers = [handler]
    silence_libraries()
    return writer
