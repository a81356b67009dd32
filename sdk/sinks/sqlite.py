"""SQLite: the events and closed periods of a count as rows of a database file."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tallylens.edge_runtime.counting.period_totals import Period
from tallylens.edge_runtime.errors import UsageError
from tallylens.sinks.transport import DeliveryError, Message, key_of

EVENT_COLUMNS = (
    *("event", "time_s", "time", "track", "class", "previous_class", "place", "direction"),
    *("x", "y", "confidence", "age_s", "dwell_s"),
)
PERIOD_COLUMNS = ("start", "end", "where", "name", "direction", "class", "count")

SCHEMA = """
CREATE TABLE IF NOT EXISTS events (
    run TEXT NOT NULL, sequence INTEGER NOT NULL,
    event TEXT NOT NULL, time_s REAL NOT NULL, time TEXT, track INTEGER NOT NULL,
    class TEXT NOT NULL, previous_class TEXT, place TEXT, direction TEXT,
    x REAL, y REAL, confidence REAL, age_s REAL, dwell_s REAL,
    PRIMARY KEY (run, sequence)
);
CREATE TABLE IF NOT EXISTS periods (
    run TEXT NOT NULL, sequence INTEGER NOT NULL,
    start TEXT NOT NULL, "end" TEXT NOT NULL, "where" TEXT NOT NULL, name TEXT NOT NULL,
    direction TEXT NOT NULL, class TEXT NOT NULL, count INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS periods_by_run ON periods (run, sequence);
"""


class SqliteTransport:
    """Writes each batch in one transaction; see `Transport`.

    A row of `events` is a line of `--events`, a row of `periods` is one number of a period, as in
    a CSV report. `run` identifies the count.

    Args:
        path: the database; it is created if it does not exist.

    Raises:
        UsageError: a folder, or in a folder that does not exist.
    """

    batch = 500

    def __init__(self, path: Path) -> None:
        if path.is_dir() or not path.resolve().parent.is_dir():
            raise UsageError(f"{path} cannot be a database", "Name a file in a folder that exists")
        self.name = f"sqlite:///{path}"
        self.key = key_of("sqlite", path.name, str(path.resolve()))
        self._path = path
        self._database: sqlite3.Connection | None = None

    def start(self, count: str, sequence: int) -> None:
        """Remove the rows of what is counted again."""
        try:
            with self._open() as database:
                for table in ("events", "periods"):
                    database.execute(
                        f"DELETE FROM {table} WHERE run = ? AND sequence >= ?", (count, sequence)
                    )
        except sqlite3.Error as error:
            raise self._failed(error) from error

    def send(self, messages: Sequence[Message]) -> None:
        """Insert the rows of all messages, or none."""
        try:
            with self._open() as database:
                for message in messages:
                    _insert(database, message)
        except sqlite3.Error as error:
            raise self._failed(error) from error

    def show(self, totals: Mapping[str, Any]) -> None:
        """Nothing: a database holds events, from which totals follow."""

    def close(self) -> None:
        """Close the database."""
        if self._database is not None:
            self._database.close()
            self._database = None

    def _open(self) -> sqlite3.Connection:
        if self._database is None:
            database = sqlite3.connect(self._path, timeout=5.0)
            try:
                database.executescript(SCHEMA)
            except sqlite3.Error:
                database.close()
                raise
            self._database = database
        return self._database

    def _failed(self, error: sqlite3.Error) -> DeliveryError:
        self.close()
        return DeliveryError(str(error))


def _insert(database: sqlite3.Connection, message: Message) -> None:
    body, key = message.body, (message.count, message.sequence)
    if body["event"] != "period":
        row = (*key, *(body.get(name) for name in EVENT_COLUMNS))
        marks = ", ".join("?" * len(row))
        database.execute(f"INSERT OR REPLACE INTO events VALUES ({marks})", row)
        return
    database.execute("DELETE FROM periods WHERE run = ? AND sequence = ?", key)
    marks = ", ".join("?" * (2 + len(PERIOD_COLUMNS)))
    database.executemany(
        f"INSERT INTO periods VALUES ({marks})", ((*key, *row) for row in _period_rows(body))
    )


def _period_rows(body: Mapping[str, Any]) -> Iterator[tuple[str | int, ...]]:
    period = Period.from_dict(body)
    for name, number in period.unique.items():
        yield (period.start, period.end, "unique", "", "", name, number)
    for region in period.regions:
        for direction, counts in region.counts().items():
            for name, number in counts.items():
                where = (region.kind, region.name, direction)
                yield (period.start, period.end, *where, name, number)
