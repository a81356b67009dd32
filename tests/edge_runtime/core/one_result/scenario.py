"""Recorded calls of the core for replay.cpp: the vectors, a long scene, heads and camera frames."""

from __future__ import annotations

import itertools
import json
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tallylens.edge_runtime.core.native import DTYPES, LAYOUTS, ffi, lib, options
from tallylens.edge_runtime.core.native import struct as core_struct

VECTORS = Path(__file__).resolve().parents[4] / "mobile_bindings" / "conformance" / "counting.json"
SIZE = (1280, 720)  # of the long scene
ANCHORS = (10.0, 13.0, 16.0, 30.0, 33.0, 23.0)
Array = npt.NDArray[Any]


def record(kind: str, *parts: bytes) -> bytes:
    """One call, as replay.cpp reads it."""
    body = b"".join(parts)
    return kind.encode() + struct.pack("<I", len(body)) + body


def raw(value: Any) -> bytes:
    """A struct of the core as it is in memory."""
    return bytes(ffi.buffer(value))


def region(kind: str, points: Sequence[Sequence[float]], **parameters: Any) -> bytes:
    name = kind.encode().ljust(8, b"\0")
    corners = np.array(points, np.float32).tobytes()
    return record("R", name, raw(options("region", **parameters)), corners)


def frame(timestamp_ns: int, rows: Array) -> bytes:
    """`rows` (n, 6): x1, y1, x2, y2, confidence, class."""
    table = np.zeros(len(rows), np.dtype([("box", np.float32, 5), ("class_id", np.int32)]))
    table["box"], table["class_id"] = rows[:, :5], rows[:, 5]
    return record("F", struct.pack("<q", timestamp_ns), table.tobytes())


def vectors() -> Iterator[bytes]:
    """Every case of the conformance vectors."""
    for case in json.loads(VECTORS.read_text(encoding="utf-8"))["cases"]:
        given = {"num_classes": 4, "frame_width": 640, "frame_height": 480}
        yield record("C", raw(options("counter", **(given | case.get("options", {})))))
        for line in case.get("lines", ()):
            yield region("line", (line["a"], line["b"]), extend=line.get("extend", False))
        for zone in case.get("zones", ()):
            yield region("zone", zone["corners"], min_dwell_s=zone.get("least_dwell_s", 0.0))
        for index, (timestamp_ns, rows) in enumerate(case["frames"]):
            if index == case.get("reset_before"):
                yield record("Z")
            yield frame(timestamp_ns, np.array(rows, np.float64).reshape(-1, 6))
        yield record("E")


def long_scene(frames: int) -> Iterator[bytes]:
    """Objects that turn at the edges, are missed, misnamed and hidden; lines and zones."""
    random, count = np.random.default_rng(1), 9
    width, height = SIZE
    sizes = {"num_classes": 4, "frame_width": width, "frame_height": height}
    yield record("C", raw(options("counter", **sizes)))
    for share in (0.25, 0.5, 0.75):
        yield region("line", [(0, height * share), (width, height * (1.1 - share))], extend=1)
    yield region("zone", [(300, 100), (900, 150), (800, 600), (500, 400), (250, 650)])
    corner = random.uniform(0, [width - 80, height - 120], (count, 2))
    speed, sides = (
        random.uniform(-5, 5, (count, 2)),
        random.uniform([30, 50], [70, 110], (count, 2)),
    )
    room = np.array(SIZE) - sides
    for index in range(frames):
        at = np.mod(corner + index * speed, 2 * room)
        at = np.where(at > room, 2 * room - at, at)
        boxes = np.hstack([at, at + sides]) + random.normal(0, 1.5, (count, 4))
        scores = random.uniform(0.2, 0.95, count)
        names = np.where(random.random(count) < 0.05, 3, np.arange(count) % 3)
        seen = (random.random(count) > 0.08) & ((index // 400 + np.arange(count)) % 7 > 0)
        jitter = int(random.integers(-4_000_000, 4_000_000))
        rows = np.column_stack([boxes, scores, names])[seen]
        yield frame(index * 40_000_000 + jitter, rows)
    yield record("E")


def head_values(seed: int, cells: tuple[int, int], classes: int) -> Array:
    """Logits (h, w, channels) with about one cell in ten worth a look."""
    logits = np.random.default_rng(seed).normal(-2, 2.5, (*cells, 3 * (5 + classes)))
    return logits.astype(np.float32)


def quantized(logits: Array, dtype: str) -> tuple[Array, float, int]:
    """`logits` in a head's dtype, with scale and zero point."""
    if dtype.startswith("float"):
        return logits.astype(dtype), 1.0, 0
    scale, limits = np.float32(0.11).item(), np.iinfo(dtype)
    zero = 17 if dtype == "int8" else 150
    values = np.clip(np.rint(logits / scale + zero), limits.min, limits.max)
    return values.astype(dtype), scale, zero


def decode(heads: Sequence[Array], strides: Sequence[int], layout: str, dtype: str) -> bytes:
    """One call of the decoder with logits (h, w, channels) in a dtype and a layout."""
    structs, data = [], []
    classes = heads[0].shape[2] // 3 - 5
    for logits, stride in zip(heads, strides, strict=True):
        values, scale, zero = quantized(logits, dtype)
        tensor = np.ascontiguousarray(values if layout == "NHWC" else values.transpose(2, 0, 1))
        head = core_struct(
            "head",
            dtype=DTYPES[tensor.dtype],
            layout=LAYOUTS[layout],
            width=values.shape[1],
            height=values.shape[0],
            stride=stride,
            scale=scale,
            zero_point=zero,
            bytes=tensor.nbytes,
            num_anchors=3,
        )
        structs.append(raw(head))
        data.append(np.array(ANCHORS, np.float32).tobytes() + tensor.tobytes())
    box = ffi.new("tally_letterbox *", (0.37, 0.37, 5, 3, 1700, 1300))
    given = options("decoder", num_classes=classes, confidence=0.05, max_detections=3000, iou=0.6)
    count = struct.pack("<I", len(structs))
    return record("D", raw(given), raw(box), count, *structs, *data)


def decoding(golden: Any | None) -> Iterator[bytes]:
    """Heads of noise, and those of a real model (`yolov5n-bus.golden.npz`) if it is given."""
    sets = [[head_values(seed, (20, 31), 3), head_values(seed + 9, (10, 15), 3)] for seed in (1, 2)]
    steps: list[tuple[int, ...]] = [(8, 16), (8, 16)]
    if golden is not None:
        names = sorted(name for name in golden.files if name.startswith("head"))
        real = [golden[name][0] for name in names]  # (anchors, h, w, channels)
        sets.append([h.transpose(1, 2, 0, 3).reshape(*h.shape[1:3], -1) for h in real])
        steps.append((8, 16, 32))
    for dtype, layout in itertools.product(("int8", "uint8", "float32", "float16"), LAYOUTS):
        for heads, strides in zip(sets, steps, strict=True):
            yield decode(heads, strides, layout, dtype)


def scaling() -> Iterator[bytes]:
    """Noise in every format, turn, range and matrix, into inputs of every kind."""
    random = np.random.default_rng(4)
    formats = [getattr(lib, f"TALLY_{name}") for name in ("BGR", "BGRA", "NV12", "NV21", "I420")]
    inputs = [
        ((48, 64), lib.TALLY_UINT8, lib.TALLY_NHWC, lib.TALLY_CHANNELS_RGB),
        ((41, 33), lib.TALLY_UINT8, lib.TALLY_NHWC, lib.TALLY_CHANNELS_BGRA),
        ((150, 131), lib.TALLY_FLOAT32, lib.TALLY_NCHW, lib.TALLY_CHANNELS_RGB),
        ((64, 96), lib.TALLY_INT8, lib.TALLY_NHWC, lib.TALLY_CHANNELS_RGB),
    ]
    sizes = [(131, 75), (64, 96), (17, 33), (1, 9)]  # width, height
    for (width, height), kind, rotation, full_range in itertools.product(
        sizes, formats, (0, 90, 180, 270), (0, 1)
    ):
        half_width, half_height = (width + 1) // 2, (height + 1) // 2
        row, chroma, planes = width, 2 * half_width, 2
        if kind == lib.TALLY_I420:
            chroma, planes = half_width, 3
        elif kind in (lib.TALLY_BGR, lib.TALLY_BGRA):
            row, planes = width * (3 if kind == lib.TALLY_BGR else 4), 1
        bytes_of = [(row + 3) * height, *[(chroma + 1) * half_height] * (planes - 1)]
        image = core_struct(
            "image",
            format=kind,
            width=width,
            height=height,
            rotation=rotation,
            strides=[row + 3, chroma + 1, chroma + 1],
            plane_bytes=bytes_of,
            yuv_range=full_range,
            yuv_matrix=full_range,
        )
        pixels = random.integers(0, 256, sum(bytes_of), np.uint8).tobytes()
        for (rows, columns), dtype, layout, channels in inputs:
            values = rows * columns * (4 if channels else 3)
            tensor = core_struct(
                "tensor",
                dtype=dtype,
                layout=layout,
                width=columns,
                height=rows,
                bytes=values * (4 if dtype == lib.TALLY_FLOAT32 else 1),
                channels=channels,
            )
            yield record("P", raw(image), raw(tensor), pixels)
