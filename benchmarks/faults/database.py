"""The database of a server that is under test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tallylens.cloud_fallback.jobs.database import Database, sqlite_url
from tests.support.video_server import VideoServer


@contextmanager
def database_of(server: VideoServer) -> Iterator[Database]:
    """The database of a server."""
    url = server.environment.get("TALLYLENS_DATABASE")
    database = Database(url or sqlite_url(server.videos / "tallylens.db"))
    try:
        yield database
    finally:
        database.close()
