"""Throughput of a server's model by batch size, with and without decoding of images.

    python benchmarks/gpu.py [--model NAME-server.onnx] [--batches 1,2,4,8,16,32] [--json FILE]

Runs on the best device that ONNX Runtime finds and says which; without a model it converts
yolov5n.pt at 640 with --server. Columns: the network alone on ready batches; with letterbox and
NMS; with JPEG decoding before them. Needs TALLYLENS_DATA and tallylens[convert,serve].
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from rich.console import Console
from rich.table import Table

from tallylens.cloud_fallback.server.image_decoding import decode_image
from tallylens.cloud_fallback.server.models import BatchedDetector, ModelInstances, open_session
from tallylens.cloud_fallback.wire.frames import FrameHeader
from tallylens.edge_runtime.detection.pipeline import usable_cores
from tallylens.edge_runtime.sources.images import read_image

DATA = Path(os.environ.get("TALLYLENS_DATA", Path(__file__).parents[2] / "shared" / "data"))
Row = dict[str, Any]


def device(providers: list[str]) -> str:
    """The device's name, as its driver or the kernel says it."""
    if providers[0] == "CPUExecutionProvider":
        lines = Path("/proc/cpuinfo").read_text().splitlines() if sys.platform == "linux" else []
        names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
        return f"{names[0] if names else platform.processor()}, {usable_cores()} cores"
    query = ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"]
    return subprocess.run(query, capture_output=True, text=True, check=True).stdout.strip()


def per_second(work: Callable[[], object], frames: int, seconds: float) -> float:
    """Frames per second of `work`, which processes `frames`."""
    work()
    begun, done = time.perf_counter(), 0
    while time.perf_counter() - begun < seconds:
        work()
        done += frames
    return done / (time.perf_counter() - begun)


def rows(model: Path, batches: list[int], seconds: float) -> Iterator[Row]:
    """One row per batch size."""
    session, instances = open_session(model), ModelInstances(model, 1)
    height, width = instances.metadata.input_size
    image = cv2.resize(read_image(DATA / "models" / "bus.jpg"), (width, height))
    content = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 80])[1].tobytes()
    header = FrameHeader(1, 0, 0, width, height)
    pool = ThreadPoolExecutor(usable_cores())
    for size in batches:
        ready = np.zeros((size, height, width, 3), np.uint8)
        lane = BatchedDetector(session, instances.metadata, size)
        images = [image] * size

        def whole(size: int = size, lane: BatchedDetector = lane) -> None:
            pictures = pool.map(lambda _: decode_image(header, content, 1 << 24), range(size))
            lane.detect([one for one in pictures if one is not None])

        yield {
            "batch": size,
            "network": per_second(lambda r=ready: session.run(None, {"frames": r}), size, seconds),  # type: ignore[misc]
            "with letterbox and NMS": per_second(
                lambda d=lane, i=images: d.detect(i),  # type: ignore[misc]
                size,
                seconds,
            ),
            "and with JPEG": per_second(whole, size, seconds),
        }
        lane.close()
    instances.close()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", type=Path)
    parser.add_argument("--batches", default="1,2,4,8,16,32")
    parser.add_argument("--seconds", type=float, default=5.0, help="of each figure")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        model = options.model
        if model is None:
            command = [sys.executable, "-m", "tallylens", "convert"]
            command += [
                str(DATA / "models" / "yolov5n.pt"),
                "--to",
                "onnx",
                "--server",
                "-o",
                folder,
            ]
            subprocess.run(command, check=True, capture_output=True)
            model = Path(folder) / "yolov5n-server.onnx"
        where = device(open_session(model).get_providers())
        results = list(
            rows(model, [int(one) for one in options.batches.split(",")], options.seconds)
        )
    table = Table(title=f"{model.name} on {where}: frames per second", title_justify="left")
    for column in results[0]:
        table.add_column(column)
    for found in results:
        table.add_row(*(f"{v:.4g}" for v in found.values()))
    Console(width=120).print(table)
    if options.json:
        options.json.write_text(json.dumps({"device": where, "rows": results}, indent=2))


if __name__ == "__main__":
    main()
