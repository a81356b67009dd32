"""One frame to detections: letterbox into the engine, run it, decode its raw head outputs."""

from __future__ import annotations

import time
from dataclasses import dataclass

from ..core import Decoder, DecoderOptions, Preprocessor
from ..core.preprocessor import PixelFormat
from ..engines import Engine
from ..types import Detections, Image, YuvPlanes


@dataclass
class Timing:
    """Time per stage of detection, in nanoseconds summed over `frames`.

    Inference is measured by the clock, the other stages in processor time of the worker's own
    thread: the clock would add what video decoding and other workers do in between.
    """

    frames: int = 0
    letterbox_ns: int = 0
    inference_ns: int = 0
    decode_ns: int = 0

    @property
    def work_ns(self) -> int:
        """The sum of all stages."""
        return self.letterbox_ns + self.inference_ns + self.decode_ns

    def __add__(self, other: Timing) -> Timing:
        return Timing(
            self.frames + other.frames,
            self.letterbox_ns + other.letterbox_ns,
            self.inference_ns + other.inference_ns,
            self.decode_ns + other.decode_ns,
        )


class Detector:
    """An engine with letterbox before it and decoding after it; not thread-safe."""

    def __init__(self, engine: Engine, options: DecoderOptions | None = None) -> None:
        self.engine = engine
        self.timing = Timing()
        self._preprocessor = Preprocessor()
        self._decoder = Decoder(engine.heads, engine.metadata.num_classes, options)

    def detect(
        self, image: Image, pixel_format: PixelFormat = "BGR", rotation: int = 0
    ) -> Detections:
        """Objects in `image`, (height, width, 3) uint8 BGR by default, in its upright pixels."""
        return self._detect(image, pixel_format, rotation)

    def detect_planes(self, planes: YuvPlanes) -> Detections:
        """Objects in an image of a video decoder, in its upright pixels."""
        return self._detect(planes, "I420", 0)

    def _detect(
        self, image: Image | YuvPlanes, pixel_format: PixelFormat, rotation: int
    ) -> Detections:
        start = time.thread_time_ns()
        letterbox = self._preprocessor.run(
            image,
            self.engine.input,
            layout=self.engine.metadata.layout,
            pixel_format=pixel_format,
            rotation=rotation,
        )
        letterbox_ns = time.thread_time_ns() - start
        called = time.perf_counter_ns()
        raw = self.engine.run()
        inference_ns = time.perf_counter_ns() - called
        start = time.thread_time_ns()
        detections = self._decoder.run(raw, letterbox)
        decode_ns = time.thread_time_ns() - start
        self.timing += Timing(1, letterbox_ns, inference_ns, decode_ns)
        return detections
