"""Uploaded videos against `tallylens count`: frames per second, live frames beside, many streams.

    python benchmarks/video.py [--model demo] [--clips 20] [--json FILE]
    python benchmarks/video.py --live          # also devices that send live frames meanwhile
    python benchmarks/video.py --streams 1000  # also that many open progress streams

The clips are 4 s at 120 frames/s of the demo's street (ffmpeg makes them). First `count` counts
them one after the other, then all are uploaded at once to a server with one worker per core.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from statistics import quantiles
from typing import Any

from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.support.video_server import VideoServer

SECONDS, FPS, SIZE = 4, 120, (768, 432)
LINE = "0,0.6,1,0.6,road"
LIVE_DEVICES, LIVE_FPS = 10, 2.0
Row = dict[str, Any]


def make_clips(folder: Path, number: int) -> list[Path]:
    """Clips of the demo's street, each from another moment of it."""
    demo = [sys.executable, "-m", "tallylens", "demo", "--seconds", "30", "--json"]
    subprocess.run([*demo, "--out", str(folder)], check=True, capture_output=True)
    street = next(folder.glob("*.mp4"))
    clips = []
    for index in range(number):
        clip = folder / f"clip{index:02d}.mkv"
        # Each has other bytes, so that none is taken for a copy.
        command = ["ffmpeg", "-v", "error", "-y", "-ss", str(index * 26 / number), "-i", street]
        command += ["-t", str(SECONDS), "-vf", f"scale={SIZE[0]}:{SIZE[1]},fps={FPS}"]
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
    ended = [server.wait(job) for job in jobs]
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


class Live:
    """Devices that each send LIVE_FPS frames per second over the websocket."""

    def __init__(self, server: VideoServer, frame: bytes, size: tuple[int, int]) -> None:
        self._server, self._frame, self._size = server, frame, size
        self.seconds: list[float] = []
        self._stop = threading.Event()

    @contextmanager
    def running(self) -> Iterator[None]:
        """Send for the length of the block."""
        threads = [threading.Thread(target=self._device) for _ in range(LIVE_DEVICES)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._stop.set()
            for thread in threads:
                thread.join()

    def _device(self) -> None:
        from websockets.sync.client import connect
        from websockets.typing import Subprotocol

        from tallylens.cloud_fallback.wire.constants import PATH, SUBPROTOCOL
        from tallylens.cloud_fallback.wire.messages import Hello, encode

        headers = {"Authorization": f"Bearer {self._server.weak_key}"}
        url = f"ws://127.0.0.1:{self._server.port}{PATH}"
        with connect(
            url,
            subprotocols=[Subprotocol(SUBPROTOCOL)],
            additional_headers=headers,
            compression=None,
            proxy=None,
        ) as socket:
            socket.send(encode(Hello()))
            socket.recv()
            sequence = 1
            while not self._stop.is_set():
                began = time.monotonic()
                socket.send(live_frame(sequence, self._size, self._frame))
                socket.recv(timeout=30)
                self.seconds.append(time.monotonic() - began)
                sequence += 1
                self._stop.wait(max(0.0, 1 / LIVE_FPS - (time.monotonic() - began)))


def live_frame(sequence: int, size: tuple[int, int], jpeg: bytes) -> bytes:
    """One frame as the protocol has it."""
    from tallylens.cloud_fallback.wire.frames import FrameHeader, encode_frame

    header = FrameHeader(sequence, sequence * 500_000, 10_000, *size)
    return encode_frame(header, jpeg)


async def open_streams(server: VideoServer, number: int, seconds: float) -> Row:
    """Open progress streams of as many accounts, and ask for a page meanwhile."""
    lost, events, times = 0, 0, []

    async def stream(key: str) -> None:
        nonlocal lost, events
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        request = f"GET /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n\r\n"
        writer.write(request.encode())
        try:
            while line := await reader.readline():
                events += line.startswith(b"event:")
            lost += 1
        except OSError:
            lost += 1
        finally:
            writer.close()

    async def page(key: str) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        began = time.monotonic()
        head = "Connection: close\r\nHost: x"
        request = f"GET /v1/jobs HTTP/1.1\r\n{head}\r\nAuthorization: Bearer {key}\r\n\r\n"
        writer.write(request.encode())
        answer = await reader.read()
        times.append(time.monotonic() - began)
        assert b" 200 " in answer[:20], answer[:200]
        writer.close()

    tasks = [asyncio.create_task(stream(key)) for key in server.more_keys[:number]]
    await asyncio.sleep(min(10.0, number / 100))
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        await page(server.key)
        await asyncio.sleep(0.05)
    lost_before_the_end = lost
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return {
        "what": f"{number} streams",
        "pages": len(times),
        "page_p95_ms": 1000 * quantiles(times, n=20)[18],
        "lost": lost_before_the_end,
        "events": events,
        "rss_mib": resident_mib(server),
    }


def resident_mib(server: VideoServer) -> float:
    """Resident memory of the server process, without its workers."""
    assert server.process is not None
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    line = next(one for one in status.splitlines() if one.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="demo")
    parser.add_argument("--clips", type=int, default=20)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--live", action="store_true")
    parser.add_argument("--streams", type=int, default=0)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with tempfile.TemporaryDirectory(prefix="tallylens-video-") as name:
        rows = run(options, Path(name))
    columns = list(dict.fromkeys(key for row in rows for key in row))
    table = Table(*columns)
    for row in rows:
        table.add_row(*(shown(row.get(column, "")) for column in columns))
    Console().print(table)
    if options.json is not None:
        options.json.write_text(json.dumps(rows, indent=2) + "\n")


def shown(value: object) -> str:
    """A number as a table shows it."""
    return f"{value:.2f}" if isinstance(value, float) else str(value)


def run(options: argparse.Namespace, folder: Path) -> list[Row]:
    """All that was asked for."""
    clips = make_clips(folder, options.clips)
    (folder / "server").mkdir()
    server = VideoServer(
        folder / "server", options.model, workers=options.workers, more_accounts=options.streams
    )
    rows = [count_all(options.model, clips)]
    with server.start().running():
        server.wait_for_workers(options.workers)
        rows.append(upload_all(server, clips))
        rows[-1]["of_count"] = rows[-1]["fps"] / rows[0]["fps"]
        if options.live:
            rows += live_rows(server, clips)
        if options.streams:
            for clip in clips[:4]:
                server.upload(clip, {"lines": [LINE], "any_class": True})
            rows.append(asyncio.run(open_streams(server, options.streams, 15.0)))
    return rows


def live_rows(server: VideoServer, clips: list[Path]) -> list[Row]:
    """Latency of live frames without jobs, and while jobs fill the machine."""
    import cv2

    capture = cv2.VideoCapture(str(clips[0]))
    image = capture.read()[1]
    jpeg = cv2.imencode(".jpg", image)[1].tobytes()
    rows = []
    for what, jobs in (("live frames alone", False), ("live frames beside jobs", True)):
        live = Live(server, jpeg, SIZE)
        with live.running():
            if jobs:
                # With another option, so that nothing is taken for a copy.
                ended = upload_all(server, clips, zones=["0,0,1,0,1,1"])
            else:
                time.sleep(15)
        p95 = 1000 * quantiles(live.seconds, n=20)[18]
        row = {"what": what, "frames": len(live.seconds), "live_p95_ms": p95}
        rows.append({**row, **({"late": ended["late"]} if jobs else {})})
    return rows


if __name__ == "__main__":
    main()
