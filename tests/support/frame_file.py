"""Videos as frame files: raw frames with their times, which a JVM without a decoder can read.

    python -m tests.support.frame_file VIDEO FRAMES
    python -m tests.support.frame_file demo FRAMES     eight seconds of the demo's street
    python -m tests.support.frame_file VIDEO FRAMES 120:300      only these rows of each frame

Little-endian: `TLFR`, width, height and number of frames (int32), then for each frame its capture
time in nanoseconds (int64) and its pixels in BGR.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from tallylens.demo.scene import Scene
from tallylens.demo.source import open_scene
from tallylens.edge_runtime.sources import open_source
from tallylens.edge_runtime.types import Image

MAGIC = b"TLFR"
HEADER = struct.Struct("<4siii")
TIME = struct.Struct("<q")


def write_frames(path: Path, frames: Iterable[tuple[int, Image]]) -> int:
    """Write (timestamp in ns, BGR image) of one size; returns how many."""
    count, size = 0, (0, 0)
    with path.open("wb") as file:
        file.write(HEADER.pack(MAGIC, 0, 0, 0))
        for timestamp_ns, image in frames:
            size = (image.shape[1], image.shape[0])
            file.write(TIME.pack(timestamp_ns))
            file.write(np.ascontiguousarray(image).tobytes())
            count += 1
        file.seek(0)
        file.write(HEADER.pack(MAGIC, *size, count))
    return count


def read_frames(path: Path) -> Iterator[tuple[int, Image]]:
    """The (timestamp in ns, BGR image) of each frame; images share the mapped file."""
    mapped = np.memmap(path, np.uint8, "r")
    _, width, height, count = HEADER.unpack(mapped[: HEADER.size].tobytes())
    step = TIME.size + 3 * width * height
    for index in range(count):
        at = HEADER.size + index * step
        (timestamp_ns,) = TIME.unpack(mapped[at : at + TIME.size].tobytes())
        yield timestamp_ns, mapped[at + TIME.size : at + step].reshape(height, width, 3)


def video_frames(video: Path) -> Iterator[tuple[int, Image]]:
    """The (timestamp in ns, BGR image) of each frame of a video; `demo` is the demo's street."""
    opened = open_scene(Scene(1, (640, 360), 30, 8)) if video.name == "demo" else None
    with opened or open_source(str(video)) as source:
        for frame in source:
            yield frame.timestamp_ns, frame.image


if __name__ == "__main__":
    first, end = map(int, sys.argv[3].split(":")) if len(sys.argv) > 3 else (0, None)
    pictures = video_frames(Path(sys.argv[1]))
    print(write_frames(Path(sys.argv[2]), ((at, one[first:end]) for at, one in pictures)), "frames")
