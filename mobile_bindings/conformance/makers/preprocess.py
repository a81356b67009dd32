"""preprocess.json: small camera frames of every form, and the engine inputs that they become.

Frames are noise, in which any wrong sample shows. Expected inputs are those of
`oracles/letterbox.py`, rounded; formats without arithmetic are exact.
"""

from __future__ import annotations

import base64
import json
import random
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any

from oracles.letterbox import Picture, letterbox, rgb, turned

PACKED = ("BGR", "RGB", "BGRA", "RGBA")
# The core's bilinear weights have 8 bits, and YUV is converted to bytes before it is scaled.
EXACT, CONVERTED, SCALED = 0, 1, 2


@dataclass(frozen=True)
class Frame:
    """A frame, how it is stored, and the input that it becomes."""

    name: str
    format: str = "NV21"
    width: int = 14
    height: int = 10
    rotation: int = 0
    full_range: bool = False
    matrix: str = "BT.601"
    padding: int = 0  # bytes after each row
    step: int = 0  # chroma step, as given to the core
    interleaved: bool = False  # U and V of I420 in one buffer, as phones have them
    crop: tuple[int, int] = (0, 0)  # left and upper edge, even; the rest is the frame
    missing: int = 0  # bytes that the last plane lacks
    size: tuple[int, int] | None = None  # of the input; None: that of the upright frame
    tensor: dict[str, Any] = field(default_factory=dict)


class Buffers:
    """Memory with samples in it."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self.data: list[bytearray] = []

    def add(self, size: int) -> int:
        """The number of a new buffer of noise."""
        self.data.append(bytearray(self._rng.randrange(256) for _ in range(size)))
        return len(self.data) - 1


@dataclass(frozen=True)
class Plane:
    """Samples in a buffer: `[buffer, offset]`, bytes from row to row and from sample to sample."""

    buffer: int
    offset: int
    stride: int
    step: int

    def cut(self, columns: int, rows: int) -> Plane:
        """The plane without its first columns and rows."""
        return replace(self, offset=self.offset + rows * self.stride + columns * self.step)


def planes_of(frame: Frame, buffers: Buffers) -> list[Plane]:
    """Where Y, U and V (or pixels) are; of pairs the first sample's plane comes first."""
    width, height = frame.width + frame.crop[0], frame.height + frame.crop[1]
    columns, rows = (width + 1) // 2, (height + 1) // 2

    def plane(samples: int, lines: int, step: int) -> Plane:
        stride = samples * step + frame.padding
        return Plane(buffers.add(stride * lines - frame.padding), 0, stride, step)

    if frame.format in PACKED:
        return [plane(width, height, len(frame.format))]
    luma = plane(width, height, 1)
    if frame.format != "I420":
        first = plane(columns, rows, 2)
        return [luma, first, replace(first, offset=1)]
    if frame.interleaved:
        v = plane(columns, rows, 2)
        return [luma, replace(v, offset=1), v]
    return [luma, *(plane(columns, rows, frame.step or 1) for _ in range(2))]


def picture_of(frame: Frame, planes: list[Plane], data: list[bytearray]) -> Picture:
    """The pixels of the frame as it is stored."""
    ends = [len(one) for one in data]
    ends[-1] -= frame.missing

    def sample(plane: Plane, x: int, y: int, channel: int = 0) -> int:
        at = plane.offset + y * plane.stride + x * plane.step + channel
        return data[plane.buffer][at if at < ends[plane.buffer] else at - 2]  # the pair before it

    if frame.format in PACKED:
        order = [frame.format.index(channel) for channel in "RGB"]
        return Picture(
            frame.width,
            frame.height,
            lambda x, y: tuple(float(sample(planes[0], x, y, c)) for c in order),  # type: ignore[arg-type, return-value]
        )
    luma, u, v = planes if frame.format != "NV21" else (planes[0], planes[2], planes[1])
    return Picture(
        frame.width,
        frame.height,
        lambda x, y: rgb(
            sample(luma, x, y),
            sample(u, x // 2, y // 2),
            sample(v, x // 2, y // 2),
            frame.full_range,
            frame.matrix,
        ),
    )


def tensor_values(target: Picture, layout: str, channels: str) -> list[int]:
    """Bytes 0 to 255 in the order of the tensor, without padding."""
    pixels = [
        [round(value) for value in target.at(x, y)]
        for y in range(target.height)
        for x in range(target.width)
    ]
    if channels == "BGRA":
        return [value for r, g, b in pixels for value in (b, g, r, 255)]
    if layout == "NCHW":
        return [pixel[channel] for channel in range(3) for pixel in pixels]
    return [value for pixel in pixels for value in pixel]


def text_of(values: bytes | bytearray | list[int]) -> str:
    """Base64."""
    return base64.b64encode(bytes(values)).decode()


def case(frame: Frame, seed: int) -> dict[str, Any]:
    """One case."""
    buffers = Buffers(random.Random(seed))
    planes = planes_of(frame, buffers)
    cuts = [frame.crop, *((frame.crop[0] // 2, frame.crop[1] // 2),) * 2]
    planes = [plane.cut(*cut) for plane, cut in zip(planes, cuts, strict=False)]
    upright = turned(picture_of(frame, planes, buffers.data), frame.rotation)
    size = frame.size or (upright.width, upright.height)
    target, mapping = letterbox(upright, *size)
    tensor = {"dtype": "uint8", "layout": "NHWC", "channels": "RGB", "row_bytes": 0, **frame.tensor}
    if frame.missing:
        del buffers.data[-1][-frame.missing :]
    stored = planes if frame.format in (*PACKED, "I420") else planes[:2]
    exact = EXACT if frame.format in PACKED else CONVERTED
    return {
        "name": frame.name,
        "image": {
            "format": frame.format,
            "width": frame.width,
            "height": frame.height,
            "rotation": frame.rotation,
            "range": "full" if frame.full_range else "video",
            "matrix": frame.matrix,
            "chroma_step": 2 if frame.interleaved else frame.step,
            "strides": [plane.stride for plane in stored],
            "planes": [[plane.buffer, plane.offset] for plane in stored],
        },
        "buffers": [text_of(data) for data in buffers.data],
        "tensor": {"width": size[0], "height": size[1], **tensor},
        "letterbox": mapping,
        "within": SCALED if mapping["gain_x"] != 1 or mapping["gain_y"] != 1 else exact,
        "expected": text_of(tensor_values(target, tensor["layout"], tensor["channels"])),
    }


def formats() -> list[Frame]:
    """Every format in every turn, and every range and matrix."""
    forms = (*PACKED, "NV12", "NV21", "I420")
    frames = [
        Frame(f"{form} turned by {turn}", form, rotation=turn, padding=turn // 90)
        for form, turn in product(forms, (0, 90, 180, 270))
    ]
    for full, matrix, turn in product((False, True), ("BT.601", "BT.709"), (0, 90)):
        name = f"{'full' if full else 'video'} range of {matrix} turned by {turn}"
        frames.append(Frame(name, "I420", 36, 18, turn, full, matrix))
    return frames


def memory() -> list[Frame]:
    """Steps, padding, odd sides, crops, and the byte that phones leave out."""
    frames = [
        Frame(f"chroma step {step}, rows padded", "I420", 35, 17, padding=5, step=step)
        for step in (1, 2, 3, 16)
    ]
    frames += [
        Frame(f"three pointers into one buffer, turned by {turn}", "I420", 18, 12, turn,
              full_range=True, padding=6, interleaved=True)
        for turn in (0, 90, 180, 270)
    ]  # fmt: skip
    frames += [
        Frame(f"{form} one byte short, turned by {turn}", form, rotation=turn, missing=1)
        for form, turn in product(("NV12", "NV21"), (0, 90, 180, 270))
    ]
    frames += [
        Frame(f"a crop of {form}, turned by {turn}", form, rotation=turn, crop=(6, 4), padding=3)
        for form, turn in product(("BGRA", "NV12", "I420"), (0, 270))
    ]
    frames += [
        Frame(f"{w} x {h} pixels", "NV12", w, h) for w, h in ((1, 1), (2, 1), (1, 5), (7, 3))
    ]
    return frames


def inputs() -> list[Frame]:
    """Inputs of every kind, and frames that are scaled."""
    bgra = {"channels": "BGRA"}
    kinds: list[dict[str, Any]] = [
        {"dtype": dtype, "layout": layout}
        for dtype, layout in product(("uint8", "int8", "float32"), ("NHWC", "NCHW"))
    ]
    frames = [
        Frame(f"{kind['dtype']} {kind['layout']}", "RGB", size=(16, 12), tensor=kind)
        for kind in kinds
    ]
    frames += [
        Frame("BGRA input", "BGR", tensor=bgra, size=(16, 16)),
        Frame("BGRA input, rows padded", "NV21", tensor={**bgra, "row_bytes": 80}, size=(16, 12)),
        Frame("uint8 input, rows padded", "RGBA", tensor={"row_bytes": 64}, size=(16, 12)),
        Frame("float32 input, rows padded", "BGR", size=(16, 12),
              tensor={"dtype": "float32", "row_bytes": 256}),
    ]  # fmt: skip
    sizes = {"half": (18, 12), "a third": (12, 8), "larger": (50, 40), "upright": (9, 20)}
    for (name, size), form, turn in product(sizes.items(), ("BGR", "NV21", "I420"), (0, 90)):
        label = f"{form} to {name}, turned by {turn}"
        frames.append(Frame(label, form, 36, 24, turn, full_range=True, size=size))
    return frames


def refused() -> list[dict[str, Any]]:
    """Frames and inputs that do not hold what they say."""
    sound = case(Frame("", "NV21"), 1)
    changes: dict[str, tuple[str, str, Any]] = {
        "planes of fewer rows than the frame": ("image", "height", 12),
        "a stride shorter than a row": ("image", "strides", [13, 14]),
        "rotation 45": ("image", "rotation", 45),
        "width 0": ("image", "width", 0),
        "chroma step of pairs": ("image", "chroma_step", 3),
        "row_bytes shorter than a row": ("tensor", "row_bytes", 41),
        "input width 0": ("tensor", "width", 0),
    }
    found = [
        {**sound, "name": name, part: {**sound[part], key: value}}
        for name, (part, key, value) in changes.items()
    ]
    found.append({**case(Frame("two bytes short", "NV21", missing=2), 1)})
    nothing = {"letterbox": None, "within": 0, "expected": None}
    return [{**one, **nothing} for one in found]


def text() -> str:
    """The file, one case on each line."""
    frames = [*formats(), *memory(), *inputs()]
    cases = [*(case(frame, seed) for seed, frame in enumerate(frames)), *refused()]
    lines = ",\n".join(json.dumps(one, separators=(",", ":")) for one in cases)
    return f'{{"version": 1, "cases": [\n{lines}\n]}}\n'
