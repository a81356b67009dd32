"""The tables as the migrations make them: applied at start, and compared with `tables`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from ...edge_runtime.errors import UsageError
from .database import Database
from .tables import metadata

if TYPE_CHECKING:
    from alembic.config import Config

FOLDER = Path(__file__).parent / "migrations"
# Any number that no other program of this database takes for its lock.
LOCK = 0x7461_6C6C_79


def upgrade(database: Database, revision: str = "head") -> None:
    """Bring the tables to a revision; safe from several processes at once.

    Raises:
        UsageError: a newer version of tallylens made the tables.
    """
    from alembic import command

    def work(connection: sa.Connection) -> None:
        config = _locked(connection)
        _check_known(connection, database.shown)
        command.upgrade(config, revision)

    database.run(work)


def revisions() -> list[str]:
    """All revisions, the oldest first."""
    from alembic.script import ScriptDirectory

    found = [one.revision for one in ScriptDirectory(str(FOLDER)).walk_revisions()]
    return found[::-1]


def _check_known(connection: sa.Connection, shown: str) -> None:
    from alembic.migration import MigrationContext

    present = MigrationContext.configure(connection).get_current_revision()
    if present is not None and present not in revisions():
        raise UsageError(
            f"the database {shown} has tables of a newer version (revision {present})",
            "Install the version that made them, or restore a backup of before",
        )


def differences(database: Database) -> list[Any]:
    """The differences between the database and `tables`; empty after `upgrade`."""
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    options = {"compare_type": True, "compare_server_default": True}
    return database.run(
        lambda connection: list(
            compare_metadata(MigrationContext.configure(connection, opts=options), metadata)
        )
    )


def _locked(connection: sa.Connection) -> Config:
    """Alembic's settings for this connection, which others of the same database wait for."""
    from alembic.config import Config

    if connection.dialect.name == "postgresql":
        connection.execute(sa.text(f"SELECT pg_advisory_xact_lock({LOCK})"))
    config = Config()
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config
