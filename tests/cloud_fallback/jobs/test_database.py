"""Tests of transactions: none lost, none refused, and no wait for a database that is gone."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy import Connection

from tallylens.cloud_fallback.jobs import schema
from tallylens.cloud_fallback.jobs.database import (
    DamagedDatabaseError,
    Database,
    DatabaseGoneError,
    sqlalchemy_url,
    sqlite_url,
)
from tallylens.cloud_fallback.jobs.problems import problem_of
from tallylens.cloud_fallback.jobs.tables import videos
from tallylens.edge_runtime.errors import UsageError

THREADS = 8
EACH = 30
SCRIPT = Path(__file__)


def read_and_write(connection: Connection) -> None:
    """Add one to a number, the slow way: what others add meanwhile must not vanish."""
    number = connection.execute(sa.text("SELECT n FROM numbers FOR UPDATE")).scalar_one()
    connection.execute(sa.text("UPDATE numbers SET n = :n"), {"n": number + 1})


def read_and_write_sqlite(connection: Connection) -> None:
    number = connection.execute(sa.text("SELECT n FROM numbers")).scalar_one()
    connection.execute(sa.text("UPDATE numbers SET n = :n"), {"n": number + 1})


def find(connection: Connection, identifier: str) -> list[str]:
    return list(connection.scalars(sa.select(videos.c.id).where(videos.c.id == identifier)))


def add_many(url: str) -> None:
    """Run THREADS * EACH transactions in threads of this process."""
    database = Database(url)
    work = read_and_write_sqlite if database.is_sqlite else read_and_write
    with ThreadPoolExecutor(THREADS) as pool:
        for done in [pool.submit(database.run, work) for _ in range(THREADS * EACH)]:
            done.result()
    database.close()


@pytest.mark.slow
def test_eight_threads_in_two_processes_lose_nothing(database_url: str) -> None:
    database = Database(database_url)
    database.run(lambda one: one.execute(sa.text("CREATE TABLE numbers (n bigint)")))
    database.run(lambda one: one.execute(sa.text("INSERT INTO numbers VALUES (0)")))
    command = [sys.executable, str(SCRIPT), database_url]
    processes = [subprocess.Popen(command) for _ in range(2)]
    assert [process.wait(120) for process in processes] == [0, 0]
    number = database.run(lambda one: one.execute(sa.text("SELECT n FROM numbers")).scalar_one())
    assert number == 2 * THREADS * EACH == 480
    database.close()


def test_a_transaction_that_fails_changes_nothing(database_url: str) -> None:
    database = Database(database_url)
    database.run(lambda one: one.execute(sa.text("CREATE TABLE numbers (n bigint)")))

    def half(connection: Connection) -> None:
        connection.execute(sa.text("INSERT INTO numbers VALUES (1)"))
        raise LookupError

    with pytest.raises(LookupError):
        database.run(half)
    count = sa.text("SELECT count(*) FROM numbers")
    assert database.run(lambda one: one.execute(count).scalar_one()) == 0
    database.close()


def test_a_database_that_is_gone_is_named_without_its_password() -> None:
    database = Database("postgresql://me:secret@127.0.0.1:9/name")
    with pytest.raises(DatabaseGoneError) as error:
        database.run(lambda one: one.execute(sa.text("SELECT 1")))
    assert "127.0.0.1:9/name does not answer" in str(error.value)
    assert "secret" not in str(error.value)


@pytest.mark.parametrize("url", ["mysql://me:secret@host/name", "sqlite://", "secret", ""])
def test_other_databases_are_refused(url: str) -> None:
    with pytest.raises(UsageError) as error:
        sqlalchemy_url(url)
    assert str(error.value) == (
        "the database is neither SQLite nor PostgreSQL. "
        "Use postgresql://USER@HOST/NAME or sqlite:///FILE."
    )


def test_text_that_cannot_be_stored_is_a_fault_of_the_request(database: Database) -> None:
    if database.is_sqlite:
        assert database.run(find, "a\0b") == []
        return
    with pytest.raises(sa.exc.DataError) as caught:
        database.run(find, "a\0b")
    assert problem_of(caught.value).status == 422
    assert database.run(find, "a") == []


@pytest.mark.parametrize("content", [b"no database, but long enough for a header" * 9, b"cut"])
def test_a_file_that_is_no_database_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "tallylens.db"
    path.write_bytes(content)
    database = Database(sqlite_url(path))
    with pytest.raises(DamagedDatabaseError) as caught:
        schema.upgrade(database)
    database.close()
    assert str(caught.value) == (
        f"{path}: file is not a database. "
        "Restore a backup, or move the file away to start with an empty one."
    )


if __name__ == "__main__":
    add_many(sys.argv[1])
