"""The core alone: tracker and counter, host work per frame, memory over a million frames.

    python benchmarks/core.py [--frames 1000000] [--only track,decode] [--json FILE]

Times are processor time of the thread, the median of many frames, so that other load on the machine
counts little. `cold` runs through 32 MiB before each frame, as an inference does to the caches.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from tallylens.edge_runtime.core import Decoder, Preprocessor, TrackCounter
from tallylens.edge_runtime.core.images import PixelFormat
from tallylens.edge_runtime.types import Detections, HeadSpec

ANCHORS = (
    ((10, 13), (16, 30), (33, 23)),
    ((30, 61), (62, 45), (59, 119)),
    ((116, 90), (156, 198), (373, 326)),
)
NUM_CLASSES = 80
SIZE = (1920, 1080)
Row = dict[str, Any]


def walkers(count: int, seed: int = 0) -> Callable[[int], Detections]:
    """`count` objects that walk around the frame and turn at its edges; detections per frame."""
    random = np.random.default_rng(seed)
    corner = random.uniform(0, [SIZE[0] - 60, SIZE[1] - 90], (count, 2))
    speed = random.uniform(-6, 6, (count, 2))
    sides = random.uniform([30, 50], [60, 90], (count, 2))
    room = np.array(SIZE) - sides

    def frame(index: int) -> Detections:
        place = np.mod(corner + index * speed, 2 * room)
        place = np.where(place > room, 2 * room - place, place)
        xyxy = np.hstack([place, place + sides]) + random.normal(0, 1, (count, 4))
        return Detections(
            xyxy.astype(np.float32),
            np.full(count, 0.8, np.float32),
            np.arange(count, dtype=np.int32) % NUM_CLASSES,
        )

    return frame


def busy_counter() -> TrackCounter:
    """Four lines and two zones."""
    counter = TrackCounter(NUM_CLASSES, SIZE)
    for k in range(1, 5):
        counter.add_line((0, SIZE[1] * k / 5), (SIZE[0], SIZE[1] * k / 5))
    for x in (200, 1000):
        counter.add_zone([(x, 200), (x + 600, 250), (x + 500, 800), (x + 300, 500), (x, 900)])
    return counter


def track(_: argparse.Namespace) -> Iterator[Row]:
    """Tracker and counter, milliseconds per frame."""
    for count in (5, 20, 100, 300, 1000):
        counter, frame, spent = busy_counter(), walkers(count), []
        for index in range(600):
            found = frame(index)
            start = time.thread_time_ns()
            counter.update(index * 33_000_000, found)
            spent.append(time.thread_time_ns() - start)
            counter.take_events()
        steady = sorted(spent[100:])
        yield {
            "objects": count,
            "median ms": statistics.median(steady) / 1e6,
            "95% ms": steady[int(0.95 * len(steady))] / 1e6,
        }


def raw_heads(count: int) -> tuple[list[HeadSpec], list[np.ndarray]]:
    """int8 heads of a 640x640 model: background, and `count` objects of three boxes each."""
    random = np.random.default_rng(0)
    specs, arrays = [], []
    for index, stride in enumerate((8, 16, 32)):
        side = 640 // stride
        shape = (1, side, side, 3, 5 + NUM_CLASSES)
        raw = random.normal(0, 8, shape)
        raw[..., 4:] -= 75
        for _ in range(count // 3 + (index < count % 3)):
            y, x = random.integers(1, side - 1, 2)
            raw[0, y, x, :, 4] = raw[0, y, x, :, 5 + random.integers(NUM_CLASSES)] = 25
        arrays.append(raw.round().clip(-128, 127).astype(np.int8).reshape(1, side, side, -1))
        anchors = tuple((float(w), float(h)) for w, h in ANCHORS[index])
        specs.append(HeadSpec(f"head{stride}", "int8", "NHWC", side, side, stride, anchors, 0.1))
    return specs, arrays


def host(_: argparse.Namespace) -> Iterator[Row]:
    """Everything around one inference at 640 with 20 objects, milliseconds per frame."""
    random = np.random.default_rng(0)
    specs, arrays = raw_heads(20)
    decoder, preprocessor = Decoder(specs, NUM_CLASSES), Preprocessor()
    tensor = np.zeros((1, 640, 640, 3), np.uint8)
    trash = np.zeros(4 << 20)
    frame = walkers(20)
    for width, height in ((640, 360), (1280, 720), (1920, 1080)):
        image = random.integers(0, 256, (height, width, 3), dtype=np.uint8)
        for caches in ("warm", "cold"):
            counter, spent = busy_counter(), []
            for index in range(200):
                if caches == "cold":
                    trash += 1
                found, marks = frame(index), [time.thread_time_ns()]
                letterbox = preprocessor.run(image, tensor, layout="NHWC")
                marks.append(time.thread_time_ns())
                decoder.run(arrays, letterbox)
                marks.append(time.thread_time_ns())
                counter.update(index * 33_000_000, found)
                counter.take_events()
                marks.append(time.thread_time_ns())
                spent.append(np.diff(marks))
            parts = np.median(np.array(spent[50:]), axis=0) / 1e6
            names = ("letterbox ms", "decode + NMS ms", "track + count ms")
            yield {
                "frame": f"{width}x{height}",
                "caches": caches,
                **dict(zip(names, map(float, parts), strict=True)),
                "all ms": float(parts.sum()),
            }


def distributions() -> tuple[list[HeadSpec], list[np.ndarray]]:
    """`raw_heads` of a model without anchors: the same objects, 16 bins for every side of a box."""
    random = np.random.default_rng(0)
    specs, arrays = [], []
    for index, stride in enumerate((8, 16, 32)):
        side = 640 // stride
        raw = random.normal(0, 8, (1, side, side, 64 + NUM_CLASSES))
        raw[..., 64:] -= 75
        for _ in range(20 // 3 + (index < 20 % 3)):
            y, x = random.integers(1, side - 1, 2)
            raw[0, y, x, 64 + random.integers(NUM_CLASSES)] = 25
        arrays.append(raw.round().clip(-128, 127).astype(np.int8))
        spec = HeadSpec(f"head{stride}", "int8", "NHWC", side, side, stride, (), 0.1, reg_max=16)
        specs.append(spec)
    return specs, arrays


def decode(_: argparse.Namespace) -> Iterator[Row]:
    """Decode and NMS at 640, 80 classes, 20 objects: heads with anchors and without."""
    image = np.zeros((640, 640, 3), np.uint8)
    letterbox = Preprocessor().run(image, np.zeros((1, 640, 640, 3), np.uint8), layout="NHWC")
    for dtype in ("int8", "float32"):
        for layout in ("NHWC", "NCHW"):
            calls = []
            for specs, arrays in (raw_heads(20), distributions()):
                scale = 0.1 if dtype == "int8" else 1.0
                specs = [replace(spec, dtype=dtype, layout=layout, scale=scale) for spec in specs]
                if dtype == "float32":
                    arrays = [array.astype(np.float32) * np.float32(0.1) for array in arrays]
                if layout == "NCHW":
                    arrays = [np.ascontiguousarray(one.transpose(0, 3, 1, 2)) for one in arrays]
                calls.append(partial(Decoder(specs, NUM_CLASSES).run, arrays, letterbox))
            times = best_ms(*calls)
            yield {
                "heads": f"{dtype} {layout}",
                **dict(zip(("anchors ms", "distributions ms"), times, strict=True)),
            }


def best_ms(*calls: Callable[[], object], rounds: int = 40) -> list[float]:
    """Shortest time of each call, milliseconds; they take turns, so that load meets all alike."""
    times: list[list[int]] = [[] for _ in calls]
    for _ in range(rounds):
        for spent, call in zip(times, calls, strict=True):
            start = time.thread_time_ns()
            call()
            spent.append(time.thread_time_ns() - start)
    return [min(spent) / 1e6 for spent in times]


def camera(_: argparse.Namespace) -> Iterator[Row]:
    """Letterbox of camera frames to 640x640 uint8, milliseconds; BGR upright is the measure."""
    random, preprocessor = np.random.default_rng(0), Preprocessor()
    rgb = np.zeros((1, 640, 640, 3), np.uint8)
    bgra = np.zeros((1, 640, 656, 4), np.uint8)[
        :, :, :640
    ]  # rows padded, as CVPixelBuffer has them
    formats: tuple[tuple[PixelFormat, int], ...] = (("BGR", 3), ("NV21", 0), ("I420", 0))
    for width, height in ((640, 480), (1280, 720), (1920, 1080)):
        images = {
            name: random.integers(
                0, 256, (height, width, depth) if depth else (height * 3 // 2, width), np.uint8
            )
            for name, depth in formats
        }

        def letterbox(
            name: PixelFormat, rotation: int, target: Any, images: dict[Any, Any] = images
        ) -> Callable[[], object]:
            return partial(
                preprocessor.run, images[name], target, layout="NHWC", pixel_format=name,
                rotation=rotation,
            )  # fmt: skip

        for name, _depth in formats:
            for rotation in (0, 90):
                measure, packed, padded = best_ms(
                    letterbox("BGR", 0, rgb),
                    letterbox(name, rotation, rgb),
                    letterbox(name, rotation, bgra),
                )
                yield {
                    "frame": f"{width}x{height}",
                    "format": name,
                    "turned by": rotation,
                    "to RGB ms": packed,
                    "to padded BGRA ms": padded,
                    "RGB / BGR upright": packed / measure,
                    "BGRA / RGB": padded / packed,
                }


def video(_: argparse.Namespace) -> Iterator[Row]:
    """Letterbox of decoded video frames (PyAV): the planes against BGR converted from them."""
    import av

    preprocessor, target = Preprocessor(), np.zeros((1, 640, 640, 3), np.uint8)
    for width, height in ((1280, 720), (1920, 1080)):
        pixels = np.random.default_rng(0).integers(0, 256, (height * 3 // 2, width), np.uint8)
        frame = av.VideoFrame.from_ndarray(pixels, format="yuv420p")

        def to_bgr(frame: Any = frame) -> Any:
            return frame.to_ndarray(format="bgr24")

        planes: Any = frame.to_ndarray()
        bgr = to_bgr()
        through_planes, conversion, through_bgr = best_ms(
            partial(preprocessor.run, planes, target, layout="NHWC", pixel_format="I420"),
            to_bgr,
            partial(preprocessor.run, bgr, target, layout="NHWC"),
        )
        yield {
            "frame": f"{width}x{height}",
            "I420 ms": through_planes,
            "conversion ms": conversion,
            "BGR ms": through_bgr,
            "conversion and BGR ms": conversion + through_bgr,
            "saved ms": conversion + through_bgr - through_planes,
        }


def resident() -> int:
    """Bytes of this process in memory (Linux)."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def soak(options: argparse.Namespace) -> Iterator[Row]:
    """Memory after 10,000 frames and at the end, objects coming and going all the time."""
    frames = [(found, Detections.empty()) for found in map(walkers(6), range(500))]
    counter, after_start, most = busy_counter(), 0, 0
    for index in range(options.frames):
        # Half a second in every five the frame is empty and every other visit is cut short.
        gone = index % 300 > 270
        counter.update(index * 33_000_000, frames[index % 500][gone])
        counter.take_events()
        if index == 10_000:
            after_start = resident()
        if index > 10_000 and index % 10_000 == 0:
            most = max(most, resident())
    yield {
        "frames": options.frames,
        "objects": int(counter.unique().sum()),
        "live tracks": counter.diagnostics().live_tracks,
        "MiB after 10,000": after_start / 2**20,
        "maximum MiB later": most / 2**20,
        "growth MiB": (most - after_start) / 2**20,
    }


PARTS: dict[str, Callable[[argparse.Namespace], Iterator[Row]]] = {
    "track": track,
    "host": host,
    "decode": decode,
    "camera": camera,
    "video": video,
    "soak": soak,
}


def main() -> None:
    """Measure the parts asked for."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--frames", type=int, default=1_000_000, help="of the soak")
    parser.add_argument("--only", default=",".join(PARTS))
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    results: dict[str, list[Row]] = {}
    for name in options.only.split(","):
        results[name] = list(PARTS[name](options))
        table = Table(title=f"{name}: {PARTS[name].__doc__}", title_justify="left")
        for column in results[name][0]:
            table.add_column(column)
        for row in results[name]:
            table.add_row(*(f"{v:.3f}" if isinstance(v, float) else str(v) for v in row.values()))
        Console(width=120).print(table)
    if options.json:
        options.json.write_text(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
