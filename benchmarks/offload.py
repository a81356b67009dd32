"""The cloud side under load: counts, sessions, throughput, fairness, broken networks, `auto`.

    python benchmarks/offload.py [--only counts,sessions,...] [--seconds 60] [--json FILE]

Needs the folder of real models and videos (TALLYLENS_DATA) and tallylens[convert,serve]. Client and
server share this machine's cores, as separate processes. It prints, and never fails on a time.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import random
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from rich.console import Console
from rich.table import Table
from websockets.asyncio.client import connect

from tallylens import Counter, Line
from tallylens.cloud_fallback.corrections import iou
from tallylens.cloud_fallback.credentials import Secret
from tallylens.cloud_fallback.messages import Bye, Hello, Reject, Result, Summary, encode
from tallylens.cloud_fallback.offload import Offloader, OffloadOptions
from tallylens.cloud_fallback.protocol import (
    PATH,
    SUBPROTOCOL,
    FrameHeader,
    decode_server,
    encode_frame,
)
from tallylens.cloud_fallback.server.keys import entry, new_key
from tallylens.cloud_fallback.server.models import open_session
from tallylens.counter import Counted
from tallylens.edge_runtime.detector import Detector
from tallylens.edge_runtime.engines import open_engine
from tallylens.edge_runtime.pipeline import detect_in_order
from tallylens.edge_runtime.sources import open_source
from tallylens.edge_runtime.types import Detections, Frame

DATA = Path(os.environ.get("TALLYLENS_DATA", Path(__file__).parents[2] / "shared" / "data"))
STREET = DATA / "videos" / "street.mp4"
PLACES: dict[str, Any] = {"lines": [Line(0, 0.6, 1, 0.6)], "classes": ["car", "truck", "bus"]}
PLAN = "[plans.p]\nconnections = 5000\nframes_per_second = 100000\nframes_per_day = 1000000000\n"
DEADLINE_MS = 30_000
CREDITS = 8
Row = dict[str, Any]


class Work:
    """Models converted once, and a server process."""

    def __init__(
        self,
        folder: Path,
        seconds: float = 60.0,
        seeds: int = 20,
        deadline_s: float = 1.0,
        rate: float = 1.0,
    ) -> None:
        self.folder, self.seconds, self.seeds = folder, seconds, seeds
        self.deadline_s, self.rate = deadline_s, rate
        self.key = new_key()
        self.keys = folder / "keys.toml"
        self.keys.write_text(PLAN + entry("benchmark", self.key) + 'plan = "p"\n')

    def model(self, size: str, *options: str, target: str = "onnx") -> Path:
        """yolov5n at `size`."""
        out = self.folder / "-".join((size, *options)).replace("/", "")
        if not out.exists():
            command = ["convert", DATA / "models" / "yolov5n.pt", "--to", target, "--imgsz", size]
            run([*command, "-o", out, *options])
        return next(path for path in out.iterdir() if path.suffix == f".{target}")

    @contextlib.contextmanager
    def server(self, model: Path, port: int, *options: str) -> Iterator[subprocess.Popen[str]]:
        """`tallylens serve` as a process of its own, ready."""
        process = self.start(model, port, *options)
        try:
            yield process
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(30)

    def start(self, model: Path, port: int, *options: str) -> subprocess.Popen[str]:
        """The same, for those who mean to kill it."""
        command = [sys.executable, "-m", "tallylens", "serve", "--model", str(model), "--keys"]
        command += [str(self.keys), "--port", str(port), "--log", "warning", *options]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        assert process.stderr is not None
        for line in process.stderr:
            if "listening" in line:
                break
        threading.Thread(target=process.stderr.read, daemon=True).start()
        return process

    def options(self, port: int, **changes: Any) -> OffloadOptions:
        """How to reach it."""
        return OffloadOptions(f"ws://127.0.0.1:{port}", Secret(self.key), **changes)


def run(arguments: list[Any]) -> None:
    """A tallylens command."""
    command = [sys.executable, "-m", "tallylens", *map(str, arguments)]
    subprocess.run(command, check=True, capture_output=True)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def totals(counter: Counter) -> str:
    """What has to be equal."""
    tally = counter.tally
    return json.dumps([tally.unique(), *(line.as_dict() for line in tally.lines())])


def count(model: Path, offload: OffloadOptions | None, each: Callable[[Counted], None]) -> Row:
    """Counts of street.mp4."""
    with Counter(model, offload=offload, **PLACES) as counter:
        report = counter.run(str(STREET), on_frame=each)
        return {"counts": totals(counter), "offload": report.offload or {}, "fps": report.speed.fps}


def nothing(_: Counted) -> None:
    """Do nothing between frames."""


def counts(work: Work) -> Iterator[Row]:
    """street.mp4 here and through the cloud, with the same model."""
    model, port = work.model("384x640"), free_port()
    with work.server(model, port):
        for name, offload in (
            ("local", None),
            ("always", work.options(port, mode="always")),
            ("auto", work.options(port, mode="auto")),
        ):
            found = count(model, offload, nothing)
            frames = found["offload"].get("frames", {})
            yield {"where": name, "counts": found["counts"], "cloud": frames.get("cloud", 0)}


def faults(work: Work) -> Iterator[Row]:
    """kill -9 in mid-stream and a new server; are the counts the local ones?"""
    model = work.model("384x640")
    expected = count(model, None, nothing)["counts"]
    for seed in range(work.seeds):
        port, dies = free_port(), random.Random(seed).randrange(20, 200)
        process = [work.start(model, port)]

        def kill(
            counted: Counted, process: Any = process, port: int = port, dies: int = dies
        ) -> None:
            if counted.frame.index == dies:
                process[0].kill()
                process[0].wait()
                later = threading.Timer(10, lambda: process.append(work.start(model, port)))
                later.daemon = True
                later.start()

        found = count(model, work.options(port, mode="always"), kill)
        for one in process:
            one.kill()
        yield {
            "seed": seed,
            "killed at frame": dies,
            "equal": found["counts"] == expected,
            "cloud": found["offload"]["frames"]["cloud"],
            "local": found["offload"]["frames"]["local"],
            "longest frame ms": found["offload"]["longest_frame_ms"],
        }


class Load:
    """One session that sends a picture again and again, and notes what came of it."""

    def __init__(self, work: Work, port: int, picture: bytes, sides: tuple[int, int]) -> None:
        self._url, self._key = f"ws://127.0.0.1:{port}{PATH}", work.key
        self._picture, self._sides = picture, sides
        self._sent: dict[int, float] = {}
        self.latencies_s: list[float] = []
        self.overheads_s: list[float] = []
        self.sent = self.answered = self.rejected = 0
        self.summary: Summary | None = None

    async def run(self, period_s: float, seconds: float, start_s: float) -> None:
        """A frame every `period_s`, or as fast as answers come where that is 0, for `seconds`."""
        headers = {"Authorization": f"Bearer {self._key}"}
        async with connect(
            self._url,
            additional_headers=headers,
            subprotocols=[SUBPROTOCOL],  # type: ignore[list-item]
            compression=None,
            proxy=None,
            open_timeout=60,
        ) as websocket:
            await websocket.send(encode(Hello()))
            await websocket.recv()
            reader = asyncio.create_task(self._read(websocket))
            await asyncio.sleep(start_s)
            ends = time.monotonic() + seconds - start_s
            due = time.monotonic()
            while due < ends:
                await asyncio.sleep(due - time.monotonic())
                due = due + period_s if period_s else time.monotonic()
                if not period_s and len(self._sent) >= CREDITS:
                    due = time.monotonic() + 0.002
                    continue
                self.sent += 1
                self._sent[self.sent] = time.monotonic()
                await websocket.send(self._message())
            await websocket.send(encode(Bye()))
            await asyncio.wait_for(reader, 120)

    def _message(self) -> bytes:
        width, height = self._sides
        header = FrameHeader(self.sent, self.sent * 1000, DEADLINE_MS, width, height)
        return encode_frame(header, self._picture)

    async def _read(self, websocket: Any) -> None:
        async for text in websocket:
            message = decode_server(text)
            if isinstance(message, Summary):
                self.summary = message
                return
            if isinstance(message, Reject):
                self.rejected += 1
                self._sent.pop(message.sequence)
            if isinstance(message, Result):
                self.answered += 1
                took = time.monotonic() - self._sent.pop(message.sequence)
                self.latencies_s.append(took)
                self.overheads_s.append(took - message.queue_ms / 1000)


def picture(size: tuple[int, int]) -> bytes:
    """A street as JPEG."""
    capture = cv2.VideoCapture(str(STREET))
    _, image = capture.read()
    capture.release()
    data: bytes = cv2.imencode(".jpg", cv2.resize(image, size), [cv2.IMWRITE_JPEG_QUALITY, 80])[
        1
    ].tobytes()
    return data


def memory_mib(process: subprocess.Popen[str]) -> float:
    """Most memory that a process has held."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    return next(int(line.split()[1]) / 1024 for line in status.splitlines() if "VmHWM" in line)


def sessions(work: Work) -> Iterator[Row]:
    """1,000 sessions with a frame every 20 s, and 10 with 2 a second, on a 320 model."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (8192, 8192))
    model, port = work.model("192x320"), free_port()
    content = picture((320, 176))
    chance = random.Random(1)
    with work.server(model, port) as process:
        slow = [Load(work, port, content, (320, 176)) for _ in range(1000)]
        quick = [Load(work, port, content, (320, 176)) for _ in range(10)]

        async def all_of_them() -> None:
            await asyncio.gather(
                *(one.run(20.0, work.seconds, chance.uniform(5, 20)) for one in slow),
                *(one.run(0.5, work.seconds, chance.uniform(5, 6)) for one in quick),
            )

        asyncio.run(all_of_them())
        everyone = [*slow, *quick]
        overheads = np.concatenate([one.overheads_s for one in everyone])
        latencies = np.concatenate([one.latencies_s for one in everyone])
        yield {
            "sessions": len(everyone),
            "sent": sum(one.sent for one in everyone),
            "answered": sum(one.answered for one in everyone),
            "rejected": sum(one.rejected for one in everyone),
            "lost": sum(one.sent - one.answered - one.rejected for one in everyone),
            "server MiB": memory_mib(process),
            "p50 ms": float(np.percentile(latencies, 50) * 1000),
            "p99 ms": float(np.percentile(latencies, 99) * 1000),
            "p99 less queue ms": float(np.percentile(overheads, 99) * 1000),
        }


def throughput(work: Work) -> Iterator[Row]:
    """Frames a second through the service, against bare ONNX Runtime on the same batches."""
    model, port = work.model("192x320", "--server"), free_port()
    content = picture((320, 176))
    with work.server(model, port):
        loads = [Load(work, port, content, (320, 176)) for _ in range(8)]
        begun = time.monotonic()

        async def flood() -> None:
            await asyncio.gather(*(one.run(0.0, 15.0, 0.0) for one in loads))

        asyncio.run(flood())
        served = sum(one.answered for one in loads) / (time.monotonic() - begun)
    session = open_session(model)
    batch = np.zeros((8, 192, 320, 3), np.uint8)
    session.run(None, {"frames": batch})
    begun, done = time.monotonic(), 0
    while time.monotonic() - begun < 10:
        session.run(None, {"frames": batch})
        done += len(batch)
    bare = done / (time.monotonic() - begun)
    yield {"service fps": served, "bare fps": bare, "ratio": served / bare}


def fairness(work: Work) -> Iterator[Row]:
    """20 sessions of --rate frames a second, without and beside one that sends 50 times as many."""
    model, port = work.model("192x320"), free_port()
    content = picture((320, 176))
    p95 = []
    for greedy in (False, True):
        with work.server(model, port):
            normal = [Load(work, port, content, (320, 176)) for _ in range(20)]
            other = Load(work, port, content, (320, 176))

            async def both(
                normal: list[Load] = normal, other: Load = other, greedy: bool = greedy
            ) -> None:
                runs = [
                    one.run(1 / work.rate, 20.0, i / 20 / work.rate) for i, one in enumerate(normal)
                ]
                await asyncio.gather(
                    *runs, *([other.run(0.02 / work.rate, 20.0, 0.0)] if greedy else [])
                )

            asyncio.run(both())
        p95.append(float(np.percentile(np.concatenate([one.latencies_s for one in normal]), 95)))
        yield {
            "greedy": greedy,
            "normal p95 ms": p95[-1] * 1000,
            "ratio": p95[-1] / p95[0],
            "greedy answered": other.answered,
            "greedy rejected": other.rejected,
        }


class SlowLink:
    """A proxy with so many bytes a second each way and half of a round trip each."""

    def __init__(self, target: int, bytes_per_s: float, rtt_s: float) -> None:
        self._target, self._rate, self._half_s = target, bytes_per_s, rtt_s / 2
        self.port = 0
        ready = threading.Event()

        async def main() -> None:
            server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
            self.port = server.sockets[0].getsockname()[1]
            ready.set()
            await server.serve_forever()

        threading.Thread(target=lambda: asyncio.run(main()), daemon=True).start()
        ready.wait()

    async def _accept(self, reader: Any, writer: Any) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self._target)
        with contextlib.suppress(OSError):
            await asyncio.gather(self._pump(reader, back), self._pump(there, writer))
        writer.close()
        back.close()

    async def _pump(self, reader: Any, writer: Any) -> None:
        under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(64)

        async def deliver() -> None:
            while True:
                due, chunk = await under_way.get()
                await asyncio.sleep(due - time.monotonic())
                writer.write(chunk)
                await writer.drain()

        task = asyncio.create_task(deliver())
        while chunk := await reader.read(4096):
            await asyncio.sleep(len(chunk) / self._rate)
            await under_way.put((time.monotonic() + self._half_s, chunk))
        task.cancel()


def agreement(found: Detections, truth: Detections) -> tuple[int, int, int]:
    """Boxes above 0.25 of one class that overlap by half: (agreed, found, true)."""
    a, b = (
        (one.xyxy[one.confidence >= 0.25], one.class_id[one.confidence >= 0.25])
        for one in (found, truth)
    )
    agreed, free = 0, set(range(len(b[0])))
    overlaps = iou(a[0], b[0]) if len(a[0]) and len(b[0]) else np.zeros((len(a[0]), 0))
    for i, row in enumerate(overlaps):
        for j in np.argsort(-row):
            if row[j] < 0.5:
                break
            if j in free and a[1][i] == b[1][j]:
                free.remove(j)
                agreed += 1
                break
    return agreed, len(a[0]), len(b[0])


def auto(work: Work) -> Iterator[Row]:
    """320 int8 here, 640 float there, 2 Mbit/s and 80 ms between: agreement with the big model."""
    calibration = str(DATA / "coco" / "images" / "calib")
    small = work.model(
        "192x320", "--quantize", "int8", "--calibration", calibration, target="tflite"
    )
    big, port = work.model("384x640"), free_port()
    with Counter(big, **PLACES) as counter:
        truth = [one.detections for one in counter.watch(str(STREET))]
    always_bytes = 0.0
    with work.server(big, port):
        for mode in ("never", "always", "auto"):
            link = SlowLink(port, 2e6 / 8, 0.08)
            offload = work.options(link.port, mode=mode, deadline_s=work.deadline_s)
            with contextlib.ExitStack() as stack:
                local = [Detector(stack.enter_context(open_engine(small))) for _ in range(2)]
                offloader = Offloader(
                    local, local[0].engine.metadata.class_names, offload, live=True
                )
                stack.callback(offloader.close)
                offloader.start()
                found = [one for _, one in detect_in_order(offloader.lanes(), paced(STREET))]
                report = offloader.report()
            agreed, seen, true = np.sum(list(map(agreement, found, truth)), axis=0)
            f1 = 2 * agreed / (seen + true)
            always_bytes = report["sent_bytes"] if mode == "always" else always_bytes
            yield {
                "mode": mode,
                "F1 with big": f1,
                "bytes": report["sent_bytes"],
                "of always": report["sent_bytes"] / always_bytes if always_bytes else 0.0,
                "cloud": report["frames"]["cloud"],
                "late": report["late"],
                "longest ms": report["longest_frame_ms"],
            }


def paced(video: Path) -> Iterator[Frame]:
    """The frames of a video when a camera would have taken them."""
    with open_source(video) as frames:
        begun = None
        for frame in frames:
            begun = begun if begun is not None else time.monotonic() - frame.timestamp_ns / 1e9
            time.sleep(max(0.0, begun + frame.timestamp_ns / 1e9 - time.monotonic()))
            yield frame


PARTS: dict[str, Callable[[Work], Iterator[Row]]] = {
    "counts": counts,
    "auto": auto,
    "throughput": throughput,
    "fairness": fairness,
    "sessions": sessions,
    "faults": faults,
}


def show(title: str, rows: list[Row]) -> None:
    """One table."""
    table = Table(title=title, title_justify="left")
    for column in rows[0]:
        table.add_column(column)
    for row in rows:
        table.add_row(*(f"{v:.4g}" if isinstance(v, float) else str(v) for v in row.values()))
    Console(width=160).print(table)


def main() -> None:
    """Measure the parts asked for."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--only", default=",".join(PARTS))
    parser.add_argument("--seconds", type=float, default=60.0, help="of the part sessions")
    parser.add_argument("--deadline", type=float, default=1.0, help="seconds, of the part auto")
    parser.add_argument("--rate", type=float, default=1.0, help="of the part fairness")
    parser.add_argument("--seeds", type=int, default=20, help="of the part faults")
    parser.add_argument("--work", type=Path, help="keep what is converted here")
    options = parser.parse_args()
    results: dict[str, list[Row]] = {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.work or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        work = Work(folder, options.seconds, options.seeds, options.deadline, options.rate)
        for name in options.only.split(","):
            results[name] = list(PARTS[name](work))
            show(f"{name}: {(PARTS[name].__doc__ or '').splitlines()[0]}", results[name])
    if options.json:
        options.json.write_text(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
