"""A model under test, whatever its format: an image in, logits and detections out."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from ..edge_runtime.core import Decoder, DecoderOptions, Preprocessor
from ..edge_runtime.engines import Engine, open_engine
from ..edge_runtime.metadata import ModelMetadata
from ..edge_runtime.types import Detections, FloatArray, Image


@dataclass(frozen=True)
class DecodeSettings:
    """How heads are decoded: minimum confidence, IoU of NMS, one or several classes per box."""

    confidence: float
    iou: float
    multi_label: bool


@dataclass(frozen=True)
class Prediction:
    """The output of a model for one image.

    `logits`: one array per head, (channels, h, w) float32; empty where the model ends in boxes.
    `detections`: one entry per `DecodeSettings` that was asked for.
    `inference_ms`: time of the inference alone.
    """

    logits: tuple[FloatArray, ...]
    detections: tuple[Detections, ...]
    inference_ms: float


class EvaluatedModel(Protocol):
    """A model under test; `timed` where its speed on this machine says something about it."""

    name: str
    metadata: ModelMetadata
    timed: bool

    def predict(self, image: Image) -> Prediction:
        """The prediction for one (height, width, 3) uint8 BGR image."""
        ...


class EngineModel:
    """An `EvaluatedModel` that runs in an engine and is decoded by the runtime's core."""

    def __init__(
        self, engine: Engine, settings: Sequence[DecodeSettings], *, timed: bool = True
    ) -> None:
        self.name = engine.name
        self.timed = timed
        self.metadata = engine.metadata
        self._engine = engine
        self._preprocessor = Preprocessor()
        self._decoders = [
            Decoder(engine.heads, engine.metadata.num_classes, _options(one)) for one in settings
        ]

    def predict(self, image: Image) -> Prediction:
        """See `EvaluatedModel`."""
        letterbox = self._preprocessor.run(image, self._engine.input, layout=self.metadata.layout)
        start = time.perf_counter()
        raw = self._engine.run()
        inference_ms = 1e3 * (time.perf_counter() - start)
        logits = []
        for head, array in zip(self._engine.heads, raw, strict=True):
            if head.content != "logits":
                continue
            values = (array.astype(np.float32) - head.zero_point) * np.float32(head.scale)
            logits.append(values[0].transpose(2, 0, 1) if head.layout == "NHWC" else values[0])
        found = tuple(decoder.run(raw, letterbox) for decoder in self._decoders)
        return Prediction(tuple(logits), found, inference_ms)


class BoxModel:
    """An `EvaluatedModel` that ends in boxes: a Core ML package with NMS."""

    timed = False

    def __init__(self, path: Path, settings: Sequence[DecodeSettings]) -> None:
        from .coreml_program.suppression import SuppressedPackage

        self._package = SuppressedPackage(path)
        self.name, self.metadata = self._package.name, self._package.metadata
        self._settings = settings

    def predict(self, image: Image) -> Prediction:
        """See `EvaluatedModel`."""
        from .coreml_program.suppression import suppress

        start = time.perf_counter()
        confidence, xyxy = self._package.boxes(image)
        inference_ms = 1e3 * (time.perf_counter() - start)
        found = (suppress(confidence, xyxy, one.confidence, one.iou) for one in self._settings)
        return Prediction((), tuple(found), inference_ms)


def open_runtime_file(
    path: Path, settings: Sequence[DecodeSettings], num_threads: int
) -> EvaluatedModel:
    """Open a file that an engine of the edge runtime runs.

    Raises:
        ModelError: damaged.
        UnsupportedModelError: of another exporter, unless it is a .tflite with decoded boxes.
    """
    return EngineModel(open_engine(path, num_threads=num_threads), settings)


def open_package(path: Path, settings: Sequence[DecodeSettings]) -> EvaluatedModel:
    """Open a Core ML package, with raw head outputs or ending in boxes.

    Raises:
        ModelError: damaged.
        UnsupportedModelError: not written by tallylens.
    """
    from .coreml_program.engine import CoreMLDeviceEngine, CoreMLEngine
    from .coreml_program.package import read_package

    if read_package(path).is_pipeline:
        return BoxModel(path, settings)
    on_device = sys.platform == "darwin"
    engine = CoreMLDeviceEngine if on_device else CoreMLEngine
    return EngineModel(engine(path), settings, timed=on_device)


def _options(settings: DecodeSettings) -> DecoderOptions:
    return DecoderOptions(
        confidence=settings.confidence,
        iou=settings.iou,
        cross_class_iou=1.0,
        multi_label=settings.multi_label,
    )
