"""The tables as the migrations make them: applied at start, and compared with `tables`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from .database import Database
from .tables import metadata

if TYPE_CHECKING:
    from alembic.config import Config

FOLDER = Path(__file__).parent / "migrations"
# Any number that no other program of this database takes for its lock.
LOCK = 0x7461_6C6C_79


def upgrade(database: Database, revision: str = "head") -> None:
    """Bring the tables to a revision; safe from several processes at once."""
    from alembic import command

    database.run(lambda connection: command.upgrade(_locked(connection), revision))


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
