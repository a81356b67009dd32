"""Fixtures of the tests of uploaded videos: databases, and servers as processes."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tallylens.cloud_fallback.jobs import schema
from tallylens.cloud_fallback.jobs.database import Database, sqlite_url
from tests.support.postgres import Postgres, binaries
from tests.support.video_server import VideoServer

NUMBERS = itertools.count()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A server of PostgreSQL, which the tests of a process share."""
    if binaries() is None:
        pytest.skip("needs the PostgreSQL server: apt-get install postgresql")
    server = Postgres()
    server.start()
    yield server
    server.close()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database, of each kind."""
    if request.param == "sqlite":
        return sqlite_url(tmp_path / "tallylens.db")
    server: Postgres = request.getfixturevalue("postgres")
    return server.create(f"test{next(NUMBERS)}")


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """An empty database with all tables, of each kind."""
    made = Database(database_url)
    schema.upgrade(made)
    yield made
    made.close()


@pytest.fixture
def video_server(tmp_path: Path, tiny_model: Path) -> Iterator[Callable[..., VideoServer]]:
    """Starts servers with the model of squares; they end with the test."""
    started: list[VideoServer] = []

    def start(*options: str, model: Path | str = tiny_model, **more: Any) -> VideoServer:
        folder = tmp_path / f"server-{len(started)}"
        folder.mkdir()
        started.append(VideoServer(folder, model, *options, **more))
        return started[-1].start()

    yield start
    for server in started:
        server.stop()


@pytest.fixture(scope="module")
def idle_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VideoServer]:
    """A server without workers, which the tests of a module share: its jobs stay queued."""
    server = VideoServer(tmp_path_factory.mktemp("idle"), "demo", workers=0).start()
    yield server
    server.stop()
