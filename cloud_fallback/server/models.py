"""Pictures to detections, a batch at a time, on whatever this machine has."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

from ...edge_runtime.detector import Detector
from ...edge_runtime.engines import open_engine
from ...edge_runtime.metadata import ModelMetadata
from ...edge_runtime.pipeline import usable_cores
from ...edge_runtime.types import Detections, Image


class BatchDetector(Protocol):
    """One lane of the service; used by one thread at a time."""

    max_batch: int

    def detect(self, images: Sequence[Image]) -> list[Detections]:
        """Objects in each (height, width, 3) uint8 BGR picture, in its own pixels."""


class OneByOne:
    """The device's own detector: what is found here is what the device would find."""

    max_batch = 1

    def __init__(self, detector: Detector) -> None:
        self._detector = detector

    def detect(self, images: Sequence[Image]) -> list[Detections]:
        """Objects in each picture."""
        return [self._detector.detect(image) for image in images]


class Lanes:
    """The detectors of one model, and what the model says about itself."""

    def __init__(self, model: Path, lanes: int | None = None) -> None:
        """Open `model`, a .tflite or .onnx file, once a lane; by default one lane a core.

        Raises:
            ModelError: the file cannot be used.
        """
        self._stack = ExitStack()
        self.name = model.name
        self.detectors: list[BatchDetector] = []
        for _ in range(lanes or usable_cores()):
            engine = self._stack.enter_context(open_engine(model))
            self.detectors.append(OneByOne(Detector(engine)))
            self.metadata: ModelMetadata = engine.metadata
            self.engine: str = engine.name

    def close(self) -> None:
        """Free the engines."""
        self._stack.close()
