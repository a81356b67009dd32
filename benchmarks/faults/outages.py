"""A database that is away, and a disk that is full."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

import httpx

from faults.client import Row, created, offset_of, running, upload, wait_for_all
from faults.verdict import judge, undisturbed_by_count
from tests.support.postgres import Postgres
from tests.support.video_server import VideoServer, job_of, wait_until

OUTAGE_S = 30.0
TMPFS_MIB = 16


def database_away(server: VideoServer, videos: list[Path], postgres: Postgres) -> Row:
    """The database is stopped for OUTAGE_S while jobs run."""
    options = {"any_class": True, "lines": ["0,0.6,1,0.6,road"]}
    right = undisturbed_by_count(videos, options)
    jobs = [upload(server, video, options) for video in videos]
    wait_until(lambda: len(running(server, jobs)) >= 1, "no job runs")
    postgres.stop()
    time.sleep(2.0)
    answer = server.get(f"/v1/jobs/{jobs[0]}")
    refused = answer.status_code == 503 and "retry-after" in answer.headers
    ready = server.client.get("/readyz").status_code
    time.sleep(OUTAGE_S - 2.0)
    postgres.start()
    row = judge(server, jobs, right, 0)
    row["ok"] = row["ok"] and refused and ready == 503
    return {"what": f"database away for {OUTAGE_S:g} s", "503": refused, "readyz": ready, **row}


def disk_full(server: VideoServer, videos: list[Path]) -> Row:
    """A file system of TMPFS_MIB: refused with too little space, and a half upload resumes."""
    video = videos[0]
    content = video.read_bytes()
    refused = server.create(len(content)).status_code
    files = server.videos / "files"
    location = _created_despite(server, content)
    filler = files / "filler"
    with suppress(OSError):
        filler.write_bytes(bytes(TMPFS_MIB << 20))
    # Space for half of the upload.
    os.truncate(filler, filler.stat().st_size - len(content) // 2)
    within = server.patch(location, 0, content).status_code
    kept = offset_of(server, location)
    filler.unlink()
    resumed = server.patch(location, kept, content[kept:]).status_code
    ended = wait_for_all(server, [job_of(location)])[0]
    ok = (refused, within, resumed, ended["state"]) == (507, 507, 204, "done")
    return {
        "what": "disk full",
        "refused": refused,
        "within": within,
        "kept_bytes": kept,
        "resumed": resumed,
        "ok": ok and 0 < kept < len(content),
    }


def _created_despite(server: VideoServer, content: bytes) -> str:
    """An upload that was accepted before the disk became full: its rule needs 1 GiB to spare."""
    server.stop()
    server.environment["TALLYLENS_RESERVE_BYTES"] = "0"
    server.client = httpx.Client(timeout=60, trust_env=False)
    server.start()
    return created(server, len(content), "a.mkv", {})
