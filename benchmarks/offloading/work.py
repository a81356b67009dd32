"""Models converted once, a server process, and how to reach it."""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tallylens.cloud_fallback.client.credentials import Secret
from tallylens.cloud_fallback.client.offloader import OffloadOptions
from tallylens.cloud_fallback.server.keys import entry, new_key

DATA = Path(os.environ.get("TALLYLENS_DATA", Path(__file__).parents[3] / "shared" / "data"))
STREET = DATA / "videos" / "street.mp4"
PLAN = "[plans.p]\nconnections = 5000\nframes_per_second = 100000\nframes_per_day = 1000000000\n"
Row = dict[str, Any]


@dataclass
class Settings:
    """Choices of the command line."""

    seconds: float = 60.0
    seeds: int = 20
    faults: str = ""
    deadline_s: float = 0.5
    pace: float = 1.0
    rate: float = 1.0
    video: Path = STREET
    messages: int = 100_000


CALIBRATION = DATA / "coco" / "images" / "calib"


class Work:
    """Models converted once, and a server process."""

    def __init__(self, folder: Path, settings: Settings | None = None) -> None:
        self.folder, self.settings = folder, settings or Settings()
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
        """`tallylens serve` as a process of its own, to be killed by the caller."""
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
        """Options that reach the server at `port`."""
        return OffloadOptions(f"ws://127.0.0.1:{port}", Secret(self.key), **changes)


def small_model(work: Work) -> Path:
    """The model of a device: 192x320, int8."""
    quantized = ("--quantize", "int8", "--calibration", str(CALIBRATION))
    return work.model("192x320", *quantized, target="tflite")


def add_models(parser: argparse.ArgumentParser) -> None:
    """The arguments of `two_models`."""
    parser.add_argument("--small", type=Path, help="default: yolov5n, 192x320, int8")
    parser.add_argument("--big", type=Path, help="default: yolov5n, 384x640, float")
    parser.add_argument("--work", type=Path, help="keep what is converted here")


@contextlib.contextmanager
def two_models(options: argparse.Namespace) -> Iterator[tuple[Path, Path]]:
    """The model of a device and that of a server."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.work or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        work = Work(folder)
        yield options.small or small_model(work), options.big or work.model("384x640")


def run(arguments: list[Any]) -> None:
    """A tallylens command."""
    command = [sys.executable, "-m", "tallylens", *map(str, arguments)]
    subprocess.run(command, check=True, capture_output=True)


def free_port() -> int:
    """An unused port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
