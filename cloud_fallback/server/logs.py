"""Logs as one JSON object per line on stderr. No image, key, token or header is ever logged."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime

_OWN = frozenset(vars(logging.makeLogRecord({}))) | {
    "message",
    "asctime",
    "taskName",
    "color_message",
}
# At DEBUG these write headers and the first bytes of every message.
_VERBOSE = ("uvicorn.error", "uvicorn.access", "websockets", "websockets.client")


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


def silence_libraries() -> None:
    """Keep libraries from logging what they carry, whatever level is asked for."""
    for name in _VERBOSE:
        logging.getLogger(name).setLevel(logging.WARNING)


def log_as_json(level: str) -> None:
    """Send the service's log to stderr."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines())
    for name in ("tallylens", "uvicorn"):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(level.upper())
    silence_libraries()
