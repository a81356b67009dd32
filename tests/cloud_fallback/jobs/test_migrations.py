"""Tests of the tables that the migrations make, from an empty database and from each revision."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from sqlalchemy import Connection

from tallylens.cloud_fallback.jobs import schema
from tallylens.cloud_fallback.jobs.database import Database
from tallylens.edge_runtime.errors import UsageError

REVISIONS = ("0001", "0002")
ROWS = {
    "accounts": "INSERT INTO accounts (id, created, email) VALUES ('acc_1', 1, 'a@example.org')",
    "sessions": "INSERT INTO sessions VALUES ('hash', 'acc_1', 'token', 1, 2)",
    "videos": "INSERT INTO videos (id, account, name, state, created, expires) "
    "VALUES ('vid_1', 'acc_1', 'a.mp4', 'ready', 1, 2)",
}


def insert(connection: Connection) -> None:
    for statement in ROWS.values():
        connection.execute(sa.text(statement))


def numbers(connection: Connection) -> list[int]:
    count = "SELECT count(*) FROM "
    return [connection.execute(sa.text(count + table)).scalar_one() for table in ROWS]


def test_the_revisions_are_all_tested() -> None:
    assert tuple(schema.revisions()) == REVISIONS


@pytest.mark.parametrize("revision", REVISIONS)
def test_from_each_revision_to_the_present_tables(database_url: str, revision: str) -> None:
    database = Database(database_url)
    schema.upgrade(database, revision)
    database.run(insert)
    schema.upgrade(database)
    assert schema.differences(database) == []
    # No row is lost, also of tables that refer to one that was changed.
    assert database.run(numbers) == [1, 1, 1]
    database.close()


def test_applying_the_migrations_again_changes_nothing(database: Database) -> None:
    assert schema.differences(database) == []
    schema.upgrade(database)
    assert schema.differences(database) == []


def test_each_migration_is_reverted(database: Database) -> None:
    from alembic import command

    def revert(connection: Connection) -> None:
        command.downgrade(schema._locked(connection), "base")

    database.run(revert)
    left = database.run(lambda one: sa.inspect(one).get_table_names())
    assert left == ["alembic_version"]
    schema.upgrade(database)
    assert schema.differences(database) == []


def test_tables_of_a_newer_version_are_left_alone(database: Database) -> None:
    newer = sa.text("UPDATE alembic_version SET version_num = '9999'")
    database.run(lambda connection: connection.execute(newer) and None)
    with pytest.raises(UsageError) as refused:
        schema.upgrade(database)
    assert str(refused.value) == (
        f"the database {database.shown} has tables of a newer version (revision 9999). "
        "Install the version that made them, or restore a backup of before."
    )
    assert "***" in database.shown or database.is_sqlite
