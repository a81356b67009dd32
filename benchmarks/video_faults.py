"""Uploaded videos while things break: kill -9, a database that is away, a disk that is full.

    python benchmarks/video_faults.py [--db sqlite|postgresql] [--executors 2] [--kills 30]
    python benchmarks/video_faults.py --fault database      # PostgreSQL is away for 30 s
    python benchmarks/video_faults.py --fault disk          # full before and within an upload

Ten jobs run while processes are killed at random moments: workers, servers, one within the last
PATCH of an upload. Then every report must be the undisturbed one, with one usage row each, and no
more chunks than there are distinct ones and kills. It prints what it found, and ends with status 1
if anything is wrong.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import sqlalchemy as sa
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tallylens.cloud_fallback.jobs.database import Database, sqlite_url
from tallylens.cloud_fallback.jobs.tables import reports, usage
from tests.support.postgres import Postgres
from tests.support.video_server import FINAL, VideoServer, job_of, wait_until

JOBS = 10
PATIENCE_S = 600.0
OUTAGE_S = 30.0
TMPFS_MIB = 16
Row = dict[str, Any]


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


def comparable(report: Row) -> Row:
    """A report without what differs from run to run."""
    return {key: value for key, value in report.items() if key not in ("speed", "source")}


class Executors:
    """Worker processes of other "machines": `tallylens worker`, each with one child."""

    def __init__(self, server: VideoServer, number: int) -> None:
        command = [sys.executable, "-m", "tallylens", "worker", "--model", "demo"]
        self._command = [*command, "--videos", str(server.videos), "--workers", "1"]
        self._environment = server.environment
        self._log = (server.folder / "worker.log").open("ab")
        self.processes: list[subprocess.Popen[bytes]] = []
        for _ in range(number):
            self.add()

    def add(self) -> None:
        """Start one more."""
        self.processes.append(
            subprocess.Popen(
                self._command,
                env=self._environment,
                stdout=self._log,
                stderr=self._log,
                start_new_session=True,
            )
        )

    def kill_for_good(self, index: int) -> None:
        """Kill one with its child, as a machine that loses its power."""
        process = self.processes.pop(index)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def close(self) -> None:
        """End all."""
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            process.wait(60)
        self._log.close()


class Trouble(threading.Thread):
    """Kills workers and servers at random moments of the work, however fast the machine is.

    A moment is a number of frames that all jobs together have counted, and some time after it.
    """

    def __init__(self, server: VideoServer, kills: int, seed: int, frames: int) -> None:
        super().__init__(daemon=True)
        self._server, self._chance = server, random.Random(seed)
        self._moments = sorted(self._chance.uniform(0, 0.97 * frames) for _ in range(kills))
        self.kills = 0
        self.done = threading.Event()

    def run(self) -> None:
        """Kill, wait, kill."""
        while self._moments and not self.done.wait(self._chance.uniform(0.05, 0.5)):
            with suppress(ProcessLookupError, AssertionError, httpx.TransportError):
                self._look()

    def _look(self) -> None:
        jobs = self._server.get("/v1/jobs?limit=10").json()["jobs"]
        running = any(job["state"] == "running" for job in jobs)
        if running and sum(job["frames"] for job in jobs) >= self._moments[0]:
            self._kill_one()

    def _kill_one(self) -> None:
        workers = self._server.workers()
        if self._chance.random() < 0.2:
            self._server.kill()
            self._server.start()
        elif workers:
            os.kill(self._chance.choice(workers), signal.SIGKILL)
        else:
            return
        self.kills += 1
        del self._moments[0]


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
    location = patiently(lambda: _created(server, len(content), path.name, options))
    if cut:
        _cut_last_patch(server, location, content)
    while True:
        offset = patiently(lambda: _offset(server, location))
        if offset == len(content):
            return job_of(location)
        with suppress(httpx.TransportError):
            server.patch(location, offset, content[offset:])


def _created(server: VideoServer, length: int, name: str, options: Row) -> str:
    answer = server.create(length, name, options)
    assert answer.status_code == 201, answer.text
    return str(answer.headers["location"])


def _offset(server: VideoServer, location: str) -> int:
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


def undisturbed(server: VideoServer, videos: list[Path], options: Row) -> list[Row]:
    """The reports without any fault."""
    jobs = [upload(server, video, options) for video in videos]
    wait_for_all(server, jobs)
    return [comparable(server.report(job)) for job in jobs]


def judge(
    server: VideoServer, database: Database, jobs: list[str], right: list[Row], kills: int
) -> Row:
    """Compare with the undisturbed reports, and count rows and chunks."""
    ended = wait_for_all(server, jobs)
    same = sum(
        one["state"] == "done" and comparable(server.report(job)) == wanted
        for job, one, wanted in zip(jobs, ended, right, strict=True)
    )
    count = sa.select(sa.func.count())

    def rows(connection: sa.Connection, table: sa.Table, *where: sa.ColumnElement[bool]) -> int:
        query = count.select_from(table).where(table.c.job.in_(jobs), *where)
        return int(connection.execute(query).scalar_one())

    begun = chunks_begun(server, jobs)
    distinct, run = len(set(begun)), len(begun)
    used = database.run(rows, usage, usage.c.state == "settled")
    written = database.run(rows, reports)
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


def kills(options: argparse.Namespace, server: VideoServer, videos: list[Path]) -> Row:
    """Random kills during all jobs, one of them within an upload's last PATCH."""
    right = undisturbed(server, videos, {"any_class": True})
    frames = sum(report["frames"] for report in right)
    trouble = Trouble(server, options.kills, options.seed, frames)
    again = {"any_class": True, "lines": ["0,0.6,1,0.6,road"]}
    right_again = undisturbed_by_count(videos, again)
    assert [one["unique"] for one in right] == [one["unique"] for one in right_again]
    jobs = [upload(server, videos[0], again, cut=True)]
    trouble.start()
    jobs += [upload(server, video, again) for video in videos[1:]]
    with database_of(server) as database:
        ended = wait_for_all(server, jobs)
        trouble.done.set()
        trouble.join()
        del ended
        row = judge(server, database, jobs, right_again, trouble.kills + 1)
    return {"what": f"kill -9, {options.db}, {options.executors} executors", **row}


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


def dead_for_good(server: VideoServer, videos: list[Path], executors: Executors) -> Row:
    """One executor dies for good: how long until its jobs continue elsewhere."""
    options = {"any_class": True, "zones": ["0,0,1,0,1,1,0,1"]}
    jobs = [upload(server, video, options) for video in videos]
    with database_of(server) as database:
        before = _running(server, jobs)
        wait_until(lambda: len(_running(server, jobs)) >= 2, "no two jobs run")
        before = _running(server, jobs)
        executors.kill_for_good(0)
        died = time.monotonic()
        moved: dict[str, float] = {}

        def look() -> bool:
            for job, attempt in before.items():
                document = server.job(job)
                if job not in moved and (
                    document["attempt"] > attempt or document["state"] in FINAL
                ):
                    moved[job] = time.monotonic() - died
            return len(moved) == len(before)

        wait_until(look, "the dead executor's jobs do not continue", patience_s=60)
        ended = wait_for_all(server, jobs)
        del database
    done = sum(one["state"] == "done" for one in ended)
    return {
        "what": "an executor killed for good",
        "jobs": len(jobs),
        "right reports": done,
        "continued_s": max(moved.values()),
        "ok": done == len(jobs) and max(moved.values()) <= 20,
    }


def _running(server: VideoServer, jobs: list[str]) -> dict[str, int]:
    found = (server.job(job) for job in jobs)
    return {one["id"]: one["attempt"] for one in found if one["state"] == "running"}


def database_away(server: VideoServer, videos: list[Path], postgres: Postgres) -> Row:
    """The database is stopped for OUTAGE_S while jobs run."""
    options = {"any_class": True, "lines": ["0,0.6,1,0.6,road"]}
    right = undisturbed_by_count(videos, options)
    jobs = [upload(server, video, options) for video in videos]
    wait_until(lambda: len(_running(server, jobs)) >= 1, "no job runs")
    postgres.stop()
    time.sleep(2.0)
    answer = server.get(f"/v1/jobs/{jobs[0]}")
    refused = answer.status_code == 503 and "retry-after" in answer.headers
    ready = server.client.get("/readyz").status_code
    time.sleep(OUTAGE_S - 2.0)
    postgres.start()
    with database_of(server) as database:
        row = judge(server, database, jobs, right, 0)
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
    within = server.patch(location, 0, content).status_code
    kept = _offset(server, location)
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
        "ok": ok and 0 <= kept < len(content),
    }


def _created_despite(server: VideoServer, content: bytes) -> str:
    """An upload that was accepted before the disk became full: its rule needs 1 GiB to spare."""
    server.stop()
    server.environment["TALLYLENS_RESERVE_BYTES"] = "0"
    server.client = httpx.Client(timeout=60, trust_env=False)
    server.start()
    return _created(server, len(content), "a.mkv", {})


@contextmanager
def database_of(server: VideoServer) -> Iterator[Database]:
    """The database of a server."""
    url = server.environment.get("TALLYLENS_DATABASE")
    database = Database(url or sqlite_url(server.videos / "tallylens.db"))
    try:
        yield database
    finally:
        database.close()


def run(options: argparse.Namespace, folder: Path, stack: ExitStack) -> list[Row]:
    """The faults that were asked for."""
    environment: dict[str, str] = {}
    postgres = None
    if options.db == "postgresql" or options.fault == "database":
        postgres = Postgres()
        stack.callback(postgres.close)
        postgres.start()
        environment["TALLYLENS_DATABASE"] = postgres.create("videos")
    videos = make_videos(folder, JOBS if options.fault != "disk" else 1)
    (folder / "server").mkdir()
    if options.fault == "disk":
        (folder / "server" / "videos" / "files").mkdir(parents=True)
        target = folder / "server" / "videos" / "files"
        mount = ["mount", "-t", "tmpfs", "-o", f"size={TMPFS_MIB}m", "tmpfs", str(target)]
        subprocess.run(mount, check=True)
        stack.callback(subprocess.run, ["umount", "-l", str(target)], check=False)
    workers = 0 if options.executors > 1 else 2
    server = VideoServer(folder / "server", "demo", workers=workers, environment=environment)
    stack.enter_context(server.start().running())
    if options.fault == "disk":
        return [disk_full(server, videos)]
    if options.fault == "database":
        assert postgres is not None
        return [database_away(server, videos, postgres)]
    if options.executors > 1:
        executors = Executors(server, options.executors)
        stack.callback(executors.close)
        server.more_processes = lambda: [one.pid for one in executors.processes]
        return [kills(options, server, videos), dead_for_good(server, videos, executors)]
    return [kills(options, server, videos)]


def main() -> int:
    """Break things and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--db", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--executors", type=int, default=1)
    parser.add_argument("--fault", choices=("kill", "database", "disk"), default="kill")
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tallylens-faults-") as name, ExitStack() as stack:
        rows = run(options, Path(name), stack)
    for row in rows:
        table = Table("what", str(row["what"]))
        for key, value in row.items():
            if key != "what":
                table.add_row(key, f"{value:.2f}" if isinstance(value, float) else str(value))
        Console().print(table)
    if options.json is not None:
        options.json.write_text(json.dumps(rows, indent=2) + "\n")
    return 0 if all(row["ok"] for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
