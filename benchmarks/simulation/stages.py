"""Measures the stages of the video service on the machine at hand, all cores at once."""

from __future__ import annotations

import json
import math
import os
import secrets
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from simulation.service import Stages
from tallylens.cloud_fallback.jobs.plans import VideoLimits
from tallylens.cloud_fallback.jobs.probing import Prober
from tallylens.cloud_fallback.jobs.worker import NICE
from tests.support.video_server import VideoServer

CODECS = {"h264": "libx264", "hevc": "libx265"}
CHECKPOINT_BYTES = 70_000
BLOCK = 1 << 20
FEW_JOBS, FEW_FRAMES = 18, 12


@dataclass(frozen=True, slots=True)
class Measured:
    """Median, 95th percentile and mean of one stage, in `unit`."""

    median: float
    p95: float
    unit: str
    mean: float

    @classmethod
    def of(cls, values: list[float], unit: str) -> Measured:
        """Summarize repetitions."""
        ordered = sorted(values)
        p95 = ordered[math.ceil(0.95 * len(ordered)) - 1]
        return cls(statistics.median(ordered), p95, unit, statistics.fmean(ordered))


def timed(work: Callable[[], object], repetitions: int) -> list[float]:
    """Seconds of each repetition."""
    seconds = []
    for _ in range(repetitions):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return seconds


def make_clip(folder: Path, size: tuple[int, int], codec: str, seconds: float, fps: int) -> Path:
    """Draw the demo's street and encode it; needs ffmpeg.

    Args:
        folder: the folder to write to.
        size: width and height in pixels.
        codec: a key of `CODECS`.
        seconds, fps: length and frame rate.
    """
    path = folder / f"{codec}-{size[0]}x{size[1]}-{fps}.mp4"
    street = folder / "demo" / "street.mp4"
    if not street.exists():
        demo = [sys.executable, "-m", "tallylens", "demo", "--seconds", "10", "--json"]
        subprocess.run([*demo, "--out", str(street.parent)], check=True, capture_output=True)
    scale = f"scale={size[0]}:{size[1]},fps={fps}"
    command = ["ffmpeg", "-v", "error", "-y", "-stream_loop", "-1", "-i", str(street)]
    command += ["-t", str(seconds), "-vf", scale, "-c:v", CODECS[codec], "-preset", "veryfast"]
    subprocess.run([*command, "-pix_fmt", "yuv420p", "-an", str(path)], check=True)
    return path


def measure(model: str, clip: Path, folder: Path, postgres: str | None) -> dict[str, Measured]:
    """All stages with `clip` as the uploaded video."""
    found = {
        "store 1 MiB": Measured.of(timed(_store(folder), 20), "s"),
        "probe": Measured.of(_probe(clip), "s"),
        "worker start": Measured.of(timed(lambda: _start(model), 3), "s"),
        "checkpoint, SQLite": Measured.of(timed(_sqlite(folder), 30), "s"),
    }
    if postgres:
        found["checkpoint, PostgreSQL"] = Measured.of(timed(_postgresql(postgres), 30), "s")
    for name, values in _count_on_all_cores(model, clip).items():
        found[name] = Measured.of(values, "s")
    beside = _jobs_of_few_frames(model, clip, folder)
    known = stages_of(found)
    each = known.probe_s + known.report_s + FEW_FRAMES * known.core_s(False)
    found["job, beside probe and report"] = Measured.of([max(0.0, beside - each)], "s")
    return found


def stages_of(found: dict[str, Measured]) -> Stages:
    """The means as input of the simulation: the work of all frames is their sum."""
    checkpoint = found.get("checkpoint, PostgreSQL", found["checkpoint, SQLite"])
    job = found.get("job, beside probe and report")
    return Stages(
        upload_s_per_mib=found["store 1 MiB"].mean,
        probe_s=found["probe"].mean,
        job_s=0 if job is None else job.mean,
        decode_s=found["decode, per frame"].mean,
        letterbox_s=found["letterbox, per frame"].mean,
        inference_s=found["inference, per frame"].mean,
        count_s=found["decode_nms, per frame"].mean + found["track_count, per frame"].mean,
        checkpoint_s=checkpoint.mean,
        report_s=found["report"].mean,
        start_s=found["worker start"].mean,
    )


def _store(folder: Path) -> Callable[[], None]:
    block = secrets.token_bytes(BLOCK)

    def write() -> None:
        with (folder / "upload").open("ab") as file:
            file.write(block)
            file.flush()
            os.fsync(file.fileno())

    return write


def _probe(clip: Path) -> list[float]:
    prober = Prober()
    try:
        # The first one waits for the process.
        return timed(lambda: prober.probe(clip, VideoLimits()), 6)[1:]
    finally:
        prober.close()


def _jobs_of_few_frames(model: str, clip: Path, folder: Path) -> float:
    """Seconds of a worker per job of FEW_FRAMES frames, with one worker per core."""
    cores, home = os.cpu_count() or 1, folder / "few"
    home.mkdir()
    parts = []
    for index in range(FEW_JOBS):
        parts.append(home / f"{index}.mp4")
        # Each has other bytes, so that none is taken for a copy.
        cut = ["ffmpeg", "-v", "error", "-i", str(clip), "-frames:v", str(FEW_FRAMES)]
        subprocess.run([*cut, "-crf", str(20 + index), str(parts[-1])], check=True)
    server = VideoServer(home, model, workers=cores)
    with server.start().running():
        server.wait_for_workers(cores)
        # Opens the engines.
        for part in parts[:cores]:
            server.wait(server.upload(part))
        jobs = [server.upload(part) for part in parts[cores:]]
        ended = [server.wait(job) for job in jobs]
    first, last = (
        pick(datetime.fromisoformat(one[name]) for one in ended)
        for pick, name in ((min, "started"), (max, "finished"))
    )
    return (last - first).total_seconds() * cores / len(jobs)


def _start(model: str) -> None:
    code = "import sys; from tallylens import Counter; Counter(sys.argv[1], workers=1).__enter__()"
    subprocess.run([sys.executable, "-c", code, model], check=True, capture_output=True)


def _sqlite(folder: Path) -> Callable[[], None]:
    connection = sqlite3.connect(folder / "checkpoints.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("CREATE TABLE IF NOT EXISTS checkpoints (id INTEGER PRIMARY KEY, body BLOB)")
    body = secrets.token_bytes(CHECKPOINT_BYTES)

    def write() -> None:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("INSERT OR REPLACE INTO checkpoints VALUES (1, ?)", (body,))
        connection.execute("COMMIT")

    return write


def _postgresql(url: str) -> Callable[[], None]:
    import psycopg

    connection = psycopg.connect(url)
    body = secrets.token_bytes(CHECKPOINT_BYTES)
    with connection.transaction():
        connection.execute("CREATE TEMP TABLE checkpoints (id int PRIMARY KEY, body bytea)")
        connection.execute("INSERT INTO checkpoints VALUES (1, ''::bytea)")

    def write() -> None:
        with connection.transaction():
            connection.execute("UPDATE checkpoints SET body = %s WHERE id = 1", (body,))

    return write


def _count_on_all_cores(model: str, clip: Path) -> dict[str, list[float]]:
    """Seconds per frame of each stage, with one single-threaded process per core at once."""
    command = [sys.executable, "-m", "simulation.one_worker", model, str(clip)]
    environment = os.environ | {
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": os.pathsep.join((str(Path(__file__).parents[1]), *sys.path[1:])),
    }
    # With the priority of the service's workers: others may use the machine, too.
    command = ["nice", "-n", str(NICE), *command]
    workers = [
        subprocess.Popen(command, stdout=subprocess.PIPE, env=environment)
        for _ in range(os.cpu_count() or 1)
    ]
    together: dict[str, list[float]] = {}
    for worker in workers:
        output, _ = worker.communicate()
        if worker.returncode:
            raise RuntimeError("a measuring worker failed")
        document: dict[str, Any] = json.loads(output)
        for name, values in document.items():
            together.setdefault(name, []).extend(values)
    return together


def temporary_folder() -> tempfile.TemporaryDirectory[str]:
    """A folder for clips and databases."""
    return tempfile.TemporaryDirectory(prefix="capacity-")
