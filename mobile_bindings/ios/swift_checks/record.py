"""Heads of Core ML packages on frames of a video, recorded by the evaluator of saved programs.

    python -m swift_checks.record PACKAGE VIDEO FOLDER [FRAMES]

The folder receives `frames.tlfr`, `heads.f32` and `heads.f16` (all heads of all frames, packed) and
`recording.json`: the metadata, the shapes, a checksum of each input, and what Python decodes.
"""

from __future__ import annotations

import json
import sys
import zlib
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np


def record(package: Path, video: Path, folder: Path, count: int = 20) -> None:
    """Write the recording."""
    from tallylens.converters.coreml_program.engine import CoreMLEngine
    from tallylens.edge_runtime.detection.detector import Detector
    from tests.support.frame_file import video_frames, write_frames

    folder.mkdir(parents=True, exist_ok=True)
    frames = list(islice(video_frames(video), 0, 5 * count, 5))
    write_frames(folder / "frames.tlfr", frames)
    engine = CoreMLEngine(package)
    replayed: Any = _Replayed(engine)
    detector = Detector(replayed)
    rows: list[dict[str, Any]] = []
    with (folder / "heads.f32").open("wb") as full, (folder / "heads.f16").open("wb") as half:
        for timestamp_ns, image in frames:
            engine_heads, found = replayed.heads_of(detector, image, np.float32)
            for head in engine_heads:
                full.write(head.astype(np.float32).tobytes())
                half.write(head.astype(np.float16).tobytes())
            _, rounded = replayed.heads_of(detector, image, np.float16)
            rows.append(
                {
                    "timestamp_ns": timestamp_ns,
                    "input": zlib.crc32(engine.input[0].transpose(1, 2, 0).tobytes()),
                    "f32": _bits(found),
                    "f16": _bits(rounded),
                }
            )
    document = {
        "about": {"tallylens": engine.metadata.to_json()},
        "shapes": [list(head.shape) for head in engine_heads],
        "frames": rows,
    }
    # Last, so that a recording that was cut off is made again.
    (folder / "recording.json").write_text(json.dumps(document), encoding="utf-8")


class _Replayed:
    """An engine whose heads are cast, and kept so that each frame is computed once."""

    def __init__(self, engine: Any) -> None:
        self._engine = engine
        self._dtype: Any = np.float32
        self._kept: list[np.ndarray] | None = None
        self._image: Any = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def heads_of(self, detector: Any, image: Any, dtype: Any) -> tuple[list[np.ndarray], Any]:
        """The heads of an image and what is decoded from them, cast to `dtype`."""
        if image is not self._image:
            self._kept, self._image = None, image
        self._dtype = dtype
        found = detector.detect(image)
        assert self._kept is not None
        return self._kept, found

    def run(self) -> list[np.ndarray]:
        """The heads of the image that is in the input."""
        if self._kept is None:
            self._kept = self._engine.run()
        return [np.ascontiguousarray(head.astype(self._dtype)) for head in self._kept]


def _bits(found: Any) -> list[list[int]]:
    numbers = np.column_stack([found.xyxy, found.confidence]).astype(np.float32)
    return [
        [*map(int, row.view(np.int32)), int(label)]
        for row, label in zip(numbers, found.class_id, strict=True)
    ]


if __name__ == "__main__":
    given = sys.argv[1:]
    record(Path(given[0]), Path(given[1]), Path(given[2]), int(given[3]) if given[3:] else 20)
