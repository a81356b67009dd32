"""A client that resumes its uploads and waits for its jobs, while the server comes and goes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import httpx

from tests.support.video_server import FINAL, VideoServer, job_of, wait_until

PATIENCE_S = 600.0
Row = dict[str, Any]


def patiently(work: Callable[[], Any]) -> Any:
    """The result of a request, repeated while the server is away."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            return work()
        except (httpx.TransportError, AssertionError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def upload(server: VideoServer, path: Path, options: Row, *, cut: bool = False) -> str:
    """Upload as a client that resumes; `cut` kills the server within the last PATCH."""
    content = path.read_bytes()
    location = patiently(lambda: created(server, len(content), path.name, options))
    if cut:
        _cut_last_patch(server, location, content)
    while True:
        offset = patiently(lambda: offset_of(server, location))
        if offset == len(content):
            return job_of(location)
        with suppress(httpx.TransportError):
            server.patch(location, offset, content[offset:])


def created(server: VideoServer, length: int, name: str, options: Row) -> str:
    """The place of a new upload."""
    answer = server.create(length, name, options)
    assert answer.status_code == 201, answer.text
    return str(answer.headers["location"])


def offset_of(server: VideoServer, location: str) -> int:
    """Bytes of an upload that the server has."""
    headers = {**server.headers(), "Tus-Resumable": "1.0.0"}
    answer = server.client.head(location, headers=headers)
    assert answer.status_code == 200
    return int(answer.headers["upload-offset"])


def _cut_last_patch(server: VideoServer, location: str, content: bytes) -> None:
    """Send all, and kill the server as soon as the last byte is on the disk."""
    file = server.videos / "files" / location[-26:]

    def kill() -> None:
        while file.stat().st_size < len(content):
            pass
        server.kill()

    killer = threading.Thread(target=kill)
    killer.start()
    with suppress(httpx.TransportError):
        server.patch(location, 0, content)
    killer.join()
    server.start()


def wait_for_all(server: VideoServer, jobs: list[str]) -> list[Row]:
    """The documents of all jobs once they have ended."""
    found: dict[str, Row] = {}

    def look() -> bool:
        for job in jobs:
            if job not in found:
                document = patiently(partial(server.job, job))
                if document["state"] in FINAL:
                    found[job] = document
        return len(found) == len(jobs)

    wait_until(look, "jobs do not end", every_s=0.3, patience_s=PATIENCE_S)
    return [found[job] for job in jobs]


def running(server: VideoServer, jobs: list[str]) -> dict[str, int]:
    """The attempt of each job that is running, by its id."""
    found = (server.job(job) for job in jobs)
    return {one["id"]: one["attempt"] for one in found if one["state"] == "running"}
