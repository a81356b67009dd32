"""Clips of the demo's street, counted by the command and uploaded all at once."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tests.support.video_server import VideoServer

# On a machine that others use, too.
PATIENCE_S = 900.0
SECONDS, FPS, SIZE = 4, 120, (768, 432)
LINE = "0,0.6,1,0.6,road"
Row = dict[str, Any]


def make_clips(folder: Path, number: int, *, seed: int = 1, seconds: float = SECONDS) -> list[Path]:
    """Clips of the demo's street, each from another moment of it; `seed` draws another street."""
    demo = [sys.executable, "-m", "tallylens", "demo", "--seconds", "30", "--json"]
    subprocess.run(
        [*demo, "--seed", str(seed), "--out", str(folder)], check=True, capture_output=True
    )
    street = next(folder.glob("*.mp4"))
    clips = []
    for index in range(number):
        clip = folder / f"clip{index:02d}.mkv"
        # Each has other bytes, so that none is taken for a copy.
        command = ["ffmpeg", "-v", "error", "-y", "-ss", str(index * 26 / number), "-i", street]
        command += ["-t", str(seconds), "-vf", f"scale={SIZE[0]}:{SIZE[1]},fps={FPS}"]
        command += ["-c:v", "libx264", "-preset", "veryfast", "-crf", "23", "-an", clip]
        subprocess.run([str(part) for part in command], check=True)
        clips.append(clip)
    return clips


def count_all(model: str, clips: list[Path]) -> Row:
    """`tallylens count` on one clip after the other, by its own frames per second.

    It has the priority of the workers: on a machine that others use too, nothing else is fair.
    """
    from tallylens.cloud_fallback.jobs.worker import NICE

    cpu = children_s()
    frames, seconds, began = 0, 0.0, time.monotonic()
    for clip in clips:
        command = [sys.executable, "-m", "tallylens", "count", str(clip), "--model", model]
        done = subprocess.run(
            ["nice", "-n", str(NICE), *command, "--line", LINE, "--json"],
            check=True,
            capture_output=True,
        )
        report = json.loads(done.stdout)
        frames += report["frames"]
        seconds += report["frames"] / report["speed"]["fps"]
    return {
        "what": "count, one after the other",
        "frames": frames,
        "fps": frames / seconds,
        "wall_s": time.monotonic() - began,
        "cpu_s": children_s() - cpu,
    }


def children_s() -> float:
    """Processor seconds of all child processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def running_s(processes: list[int]) -> float:
    """Processor seconds of running processes."""
    ticks = 0
    for process in processes:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def upload_all(server: VideoServer, clips: list[Path], **options: Any) -> Row:
    """All clips at once: from the first byte to the last report."""
    assert server.process is not None
    processes = [server.process.pid, *server.workers()]
    cpu, began = running_s(processes), time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        jobs = list(pool.map(lambda clip: server.upload(clip, {"lines": [LINE], **options}), clips))
    uploaded = time.monotonic() - began
    ended = [server.wait(job, PATIENCE_S) for job in jobs]
    seconds = time.monotonic() - began
    frames = sum(one["frames"] for one in ended)
    return {
        "what": "uploaded at once",
        "done": sum(one["state"] == "done" for one in ended),
        "late": sum(one["late_s"] > 0 for one in ended),
        "frames": frames,
        "fps": frames / seconds,
        "wall_s": seconds,
        "upload_s": uploaded,
        "cpu_s": running_s(processes) - cpu,
    }
