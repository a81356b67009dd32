"""Videos with known reports, and whether the service has written exactly those."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import sqlalchemy as sa

from faults.client import Row, upload, wait_for_all
from faults.database import database_of
from tallylens.cloud_fallback.jobs.tables import reports, usage
from tests.support.video_server import VideoServer, comparable


def make_videos(folder: Path, number: int) -> list[Path]:
    """Videos of the demo's street of 20 s at 120 frames per second, each from another moment."""
    demo = [sys.executable, "-m", "tallylens", "demo", "--seconds", "30", "--json"]
    subprocess.run([*demo, "--out", str(folder)], check=True, capture_output=True)
    street = next(folder.glob("*.mp4"))
    made = []
    for index in range(number):
        path = folder / f"video{index}.mkv"
        command = ["ffmpeg", "-v", "error", "-y", "-ss", str(index), "-i", street, "-t", "20"]
        command += ["-vf", "scale=384:216,fps=120", "-c:v", "libx264", "-preset", "veryfast", path]
        subprocess.run([str(part) for part in command], check=True)
        made.append(path)
    return made


def undisturbed(server: VideoServer, videos: list[Path], options: Row) -> list[Row]:
    """The reports without any fault."""
    jobs = [upload(server, video, options) for video in videos]
    wait_for_all(server, jobs)
    return [comparable(server.report(job)) for job in jobs]


def undisturbed_by_count(videos: list[Path], options: Row) -> list[Row]:
    """The reports of `tallylens count` with the same options."""
    found = []
    for video in videos:
        command = [sys.executable, "-m", "tallylens", "count", str(video), "--model", "demo"]
        for line in options.get("lines", []):
            command += ["--line", line]
        command += ["--any-class", "--json"]
        done = subprocess.run(command, check=True, capture_output=True)
        found.append(comparable(json.loads(done.stdout)))
    return found


def judge(server: VideoServer, jobs: list[str], right: list[Row], kills: int) -> Row:
    """Compare with the undisturbed reports, and count rows and chunks."""
    ended = wait_for_all(server, jobs)
    same = sum(
        one["state"] == "done" and comparable(server.report(job)) == wanted
        for job, one, wanted in zip(jobs, ended, right, strict=True)
    )
    begun = chunks_begun(server, jobs)
    distinct, run = len(set(begun)), len(begun)
    with database_of(server) as database:
        used = database.run(number_of, usage, usage.c.job.in_(jobs), usage.c.state == "settled")
        written = database.run(number_of, reports, reports.c.job.in_(jobs))
    return {
        "jobs": len(jobs),
        "right reports": same,
        "report rows": written,
        "usage rows": used,
        "errors": "; ".join(str(one["error"]) for one in ended if one["error"]),
        "kills": kills,
        "attempts": sum(one["attempt"] for one in ended),
        "chunks": distinct,
        "chunks run": run,
        "ok": same == written == used == len(jobs) and run <= distinct + kills,
    }


def number_of(connection: sa.Connection, table: sa.Table, *where: sa.ColumnElement[bool]) -> int:
    """The rows of a table for which all of this holds."""
    query = sa.select(sa.func.count()).select_from(table).where(*where)
    return int(connection.execute(query).scalar_one())


def chunks_begun(server: VideoServer, jobs: list[str]) -> list[tuple[str, int]]:
    """Job and first frame of each chunk that a worker has begun, by the logs."""
    found = []
    for path in server.folder.glob("*.log"):
        for line in path.read_text().splitlines():
            if '"what": "chunk"' in line:
                entry = json.loads(line)
                if entry["job"] in jobs:
                    found.append((entry["job"], entry["frame"]))
    return found
