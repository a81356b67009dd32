"""Tests of kill -9: a job outlives its workers and its server."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa

from tallylens.cloud_fallback.jobs.database import Database, sqlite_url
from tallylens.cloud_fallback.jobs.tables import checkpoints, jobs, reports, usage
from tests.support.squares import write_video
from tests.support.video_server import VideoServer, wait_until

pytestmark = pytest.mark.slow
FRAMES = 3000


@pytest.fixture(scope="module")
def long_video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A video of many chunks in which red squares cross the middle one after the other."""
    from tests.support.squares import RED, SIDE, SQUARE

    def frames() -> list[np.ndarray]:
        made = []
        for index in range(FRAMES):
            image = np.full((SIDE, SIDE, 3), 128, np.uint8)
            y = (index * 2) % (SIDE + SQUARE) - SQUARE
            image[max(0, y) : max(0, y + SQUARE), 56 : 56 + SQUARE] = RED
            made.append(image)
        return made

    return write_video(tmp_path_factory.mktemp("long") / "long.mp4", frames(), fps=100.0)


def comparable(document: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in document.items() if key != "speed"}


def test_a_job_outlives_its_workers(
    video_server: Callable[..., VideoServer], database_url: str, long_video: Path
) -> None:
    environment = {"TALLYLENS_DATABASE": database_url}
    server = video_server(workers=1, environment=environment)
    options = {"lines": ["0,0.5,1,0.5,road"], "any_class": True}
    undisturbed = server.report(_done(server, server.upload(long_video, options)))
    # Another option, so that it is counted again.
    job = server.upload(long_video, {"lines": ["0,0.5,1,0.5,road,in=in"], "any_class": True})
    kills = 0
    for least in (1, 700, 1500):
        wait_until(lambda least=least: server.job(job)["frames"] >= least, server.log())  # type: ignore[misc]
        if server.job(job)["state"] == "running":
            for worker in server.workers():
                os.kill(worker, signal.SIGKILL)
                kills += 1
    assert kills >= 1
    ended = server.wait(job)
    assert ended["state"] == "done", ended
    assert ended["attempt"] > 1
    assert comparable(server.report(job)) == comparable(undisturbed)
    database = Database(database_url)
    assert database.run(_numbers, job) == {"reports": 1, "usage": 1, "checkpoints": 0}
    database.close()


def test_a_job_outlives_its_server(
    video_server: Callable[..., VideoServer], tmp_path: Path, long_video: Path
) -> None:
    server = video_server(workers=1)
    job = server.upload(long_video, {"any_class": True})
    wait_until(lambda: server.job(job)["frames"] > 0, server.log())
    server.kill()
    server.start()
    ended = server.wait(job)
    assert (ended["state"], ended["frames"]) == ("done", FRAMES)
    database = Database(sqlite_url(server.videos / "tallylens.db"))
    assert database.run(_numbers, job) == {"reports": 1, "usage": 1, "checkpoints": 0}
    database.close()


def test_a_worker_that_is_stopped_hands_its_job_back(
    video_server: Callable[..., VideoServer], long_video: Path
) -> None:
    server = video_server(workers=1)
    job = server.upload(long_video, {"any_class": True})
    wait_until(lambda: server.job(job)["frames"] > 0, server.log())
    server.stop()
    database = Database(sqlite_url(server.videos / "tallylens.db"))
    row = database.run(lambda one: one.execute(sa.select(jobs).where(jobs.c.id == job)).one())
    assert (row.state, row.owner, row.attempts_without_progress) == ("queued", None, 0)
    assert 0 < row.frames < FRAMES
    database.close()


def _done(server: VideoServer, job: str) -> str:
    ended = server.wait(job)
    assert ended["state"] == "done", ended
    return job


def _numbers(connection: sa.Connection, job: str) -> dict[str, int]:
    def number(table: sa.Table) -> int:
        query = sa.select(sa.func.count()).select_from(table).where(table.c.job == job)
        return int(connection.execute(query).scalar_one())

    return {"reports": number(reports), "usage": number(usage), "checkpoints": number(checkpoints)}
