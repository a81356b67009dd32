"""Where the video service keeps what it has: the database, the files, the tables of DBOS."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from .account_settings import AccountSettings
from .database import Database, sqlite_url
from .live_first import LiveMark
from .plan_file import shipped_plans
from .plans import Plans
from .storage import FolderStorage, Storage

DATABASE_VARIABLE = "TALLYLENS_DATABASE"
"""The environment variable for the database's URL, which may hold a password."""


@dataclass(frozen=True)
class VideoSettings:
    """The places of one video service; all its processes have the same.

    Args:
        folder: for files, and for SQLite.
        database: a URL of PostgreSQL or SQLite; None takes SQLite in `folder`.
        store: URL of an object store for complete files; None keeps them in `folder`.
        plans: the plans of accounts.
        accounts: what else the operator decides about them.
    """

    folder: Path
    database: str | None = None
    store: str | None = None
    plans: Plans = field(default_factory=shipped_plans)
    accounts: AccountSettings = field(default_factory=AccountSettings)

    def open_database(self) -> Database:
        """The database, with its folder made."""
        self.folder.mkdir(parents=True, exist_ok=True)
        return Database(self.database or sqlite_url(self.folder / "tallylens.db"))

    def workflow_url(self, database: Database) -> str:
        """Where DBOS keeps its tables: beside ours in SQLite, or in the same PostgreSQL."""
        if not database.is_sqlite:
            return database.url.set(drivername="postgresql").render_as_string(hide_password=False)
        path = Path(str(database.url.database))
        return sqlite_url(path.with_name(f"{path.stem}-workflows.db"))

    def open_storage(self) -> Storage:
        """Where the files of videos are.

        Raises:
            UsageError: an object store of an unknown kind.
        """
        if self.store is None:
            return self.open_folder()
        from .object_storage import ObjectStorage

        return ObjectStorage(self.store, self.folder / "copies")

    def open_live_mark(self) -> LiveMark:
        """Where the server announces live frames to the workers of its machine."""
        return LiveMark(self.folder / "live-frames")

    def open_folder(self) -> FolderStorage:
        """Where uploads arrive."""
        return FolderStorage(self.folder / "files")
