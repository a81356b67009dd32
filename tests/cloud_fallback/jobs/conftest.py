"""Fixtures of the tests of uploaded videos: databases, and servers as processes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tallylens.cloud_fallback.jobs import schema
from tallylens.cloud_fallback.jobs.database import Database, sqlite_url
from tests.support.video_server import VideoServer


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """An empty database with all tables, in SQLite."""
    made = Database(sqlite_url(tmp_path / "tallylens.db"))
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
