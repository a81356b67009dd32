"""The database: SQLite in one file, or PostgreSQL, through transactions that can be tried again."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

import sqlalchemy as sa
from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from ...edge_runtime.errors import InputError, UnavailableError, UsageError

log = logging.getLogger("tallylens.jobs")
P = ParamSpec("P")
T = TypeVar("T")

BUSY_S = 30.0
CONNECT_S = 5
# Conflicts of PostgreSQL that another try resolves: serialization failure, deadlock.
CONFLICTS = ("40001", "40P01")
MAX_TRIES = 10
MAX_PAUSE_S = 5.0


class DatabaseGoneError(UnavailableError):
    """The database does not answer."""

    def __init__(self, shown: str, problem: str) -> None:
        super().__init__(f"the database {shown} does not answer: {problem}", "Try again in a while")


class DamagedDatabaseError(InputError):
    """The file of the database is damaged, or of another kind."""

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(
            path, problem, "Restore a backup, or move the file away to start with an empty one"
        )


class Database:
    """A pool of connections, used in whole transactions only.

    A transaction is a function of a connection. It may be run more than once, so it changes
    nothing but the database.

    Args:
        url: `sqlite:///FILE` or `postgresql://...`.
        connections: maximum number at a time.

    Raises:
        UsageError: another kind of database.
    """

    def __init__(self, url: str, connections: int = 8) -> None:
        self.url = sqlalchemy_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self.engine = _sqlite(self.url) if self.is_sqlite else _postgresql(self.url, connections)
        self._threads = ThreadPoolExecutor(connections, thread_name_prefix="database")

    @property
    def shown(self) -> str:
        """The database in messages, without a password."""
        return self.url.render_as_string(hide_password=True)

    def run(
        self,
        work: Callable[Concatenate[Connection, P], T],
        *arguments: P.args,
        **named: P.kwargs,
    ) -> T:
        """The result of `work` in one transaction, which is repeated if another one was in its way.

        Raises:
            DatabaseGoneError: the database cannot be reached, or was lost on the way.
            DamagedDatabaseError: the file is not one of SQLite, or damaged.
        """
        for tried in range(MAX_TRIES):
            try:
                with self.engine.begin() as connection:
                    return work(connection, *arguments, **named)
            except (OperationalError, DBAPIError) as error:
                if _is_conflict(error) and tried + 1 < MAX_TRIES:
                    time.sleep(0.01 * 2**tried)
                    continue
                if self.is_sqlite and _is_damaged(error):
                    path = str(self.url.database)
                    raise DamagedDatabaseError(path, _first_line(error)) from error
                if _is_lost(error):
                    raise DatabaseGoneError(self.shown, _first_line(error)) from error
                raise
            except PoolTimeoutError as error:
                raise DatabaseGoneError(self.shown, "all connections are in use") from error
        raise AssertionError("the last try returns or raises")

    def run_patiently(
        self,
        work: Callable[Concatenate[Connection, P], T],
        *arguments: P.args,
        **named: P.kwargs,
    ) -> T:
        """As `run`, but waits without limit for a database that is gone; for workers."""
        pause = 0.1
        while True:
            try:
                return self.run(work, *arguments, **named)
            except DatabaseGoneError as error:
                log.warning("the database is gone", extra={"problem": str(error)})
                time.sleep(pause)
                pause = min(2 * pause, MAX_PAUSE_S)

    async def call(
        self,
        work: Callable[Concatenate[Connection, P], T],
        *arguments: P.args,
        **named: P.kwargs,
    ) -> T:
        """`run` in a thread, for code of the event loop."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(
            self._threads, lambda: self.run(work, *arguments, **named)
        )

    def close(self) -> None:
        """Close all connections."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self.engine.dispose()


def insert_if_absent(connection: Connection, table: sa.Table, row: dict[str, object]) -> bool:
    """Insert a row unless one with its keys exists; whether it was inserted."""
    if connection.dialect.name == "postgresql":
        from sqlalchemy.dialects.postgresql import insert
    else:
        from sqlalchemy.dialects.sqlite import insert  # type: ignore[assignment]
    statement = insert(table).values(row).on_conflict_do_nothing()
    # Not by `rowcount`, which psycopg does not always have for an insertion.
    return connection.execute(statement.returning(sa.literal(1))).first() is not None


def sqlalchemy_url(url: str) -> sa.URL:
    """The URL for SQLAlchemy; raises UsageError for what is neither SQLite nor PostgreSQL."""
    try:
        parsed = sa.make_url(url)
    except (sa.exc.ArgumentError, ValueError):
        parsed = None
    if parsed is not None and parsed.drivername in ("postgresql", "postgresql+psycopg", "postgres"):
        return parsed.set(drivername="postgresql+psycopg")
    if parsed is not None and parsed.drivername == "sqlite" and parsed.database:
        return parsed
    # The text is not shown: it may hold a password.
    raise UsageError(
        "the database is neither SQLite nor PostgreSQL",
        "Use postgresql://USER@HOST/NAME or sqlite:///FILE",
    )


def sqlite_url(path: Path) -> str:
    """The URL of a SQLite file."""
    return f"sqlite:///{path.absolute()}"


def _sqlite(url: sa.URL) -> Engine:
    engine = sa.create_engine(url, connect_args={"timeout": BUSY_S, "check_same_thread": False})

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: object) -> None:
        # The driver must not begin transactions on its own: see `begin`.
        connection.isolation_level = None
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # A transaction that becomes a writer half way is refused where another one has written
        # since; one that is a writer from the start waits its turn.
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def _postgresql(url: sa.URL, connections: int) -> Engine:
    return sa.create_engine(
        url,
        pool_size=connections,
        max_overflow=0,
        pool_timeout=BUSY_S,
        pool_pre_ping=True,
        connect_args={"connect_timeout": CONNECT_S, "application_name": "tallylens"},
    )


def _is_conflict(error: DBAPIError) -> bool:
    return getattr(error.orig, "sqlstate", None) in CONFLICTS


def _is_damaged(error: DBAPIError) -> bool:
    return getattr(error.orig, "sqlite_errorname", "") in ("SQLITE_NOTADB", "SQLITE_CORRUPT")


def _is_lost(error: DBAPIError) -> bool:
    """Whether the database is away, rather than in disagreement with the statement."""
    if error.connection_invalidated:
        return True
    if not isinstance(error, OperationalError):
        return False
    state = getattr(error.orig, "sqlstate", None)
    # 08: connection; 57P: shutting down or starting; 53: too many connections, disk full.
    return state is None or state[:2] in ("08", "53") or state.startswith("57P")


def _first_line(error: DBAPIError) -> str:
    return str(error.orig).strip().partition("\n")[0]
