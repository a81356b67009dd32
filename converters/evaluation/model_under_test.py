"""Anything that can be verified, as one thing: a picture in, logits and detections out."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from ...edge_runtime.core import Decoder, DecoderOptions, Preprocessor
from ...edge_runtime.engines import Engine, open_engine
from ...edge_runtime.engines.onnx import OnnxEngine
from ...edge_runtime.errors import UnsupportedModelError
from ...edge_runtime.metadata import ModelMetadata
from ...edge_runtime.types import Detections, FloatArray, Image


@dataclass(frozen=True)
class DecodeSettings:
    """Decoding of one purpose: least confidence, NMS overlap, several classes a box or one."""

    confidence: float
    iou: float
    multi_label: bool


@dataclass(frozen=True)
class Prediction:
    """What a model sees in one picture.

    `logits`: a head each, (channels, h, w) float32; none where the model ends in boxes.
    `detections`: one entry a threshold that was asked for.
    `inference_ms`: how long the model itself took.
    """

    logits: tuple[FloatArray, ...]
    detections: tuple[Detections, ...]
    inference_ms: float


class EvaluatedModel(Protocol):
    """A model under test; `timed` where its speed here says something about it."""

    name: str
    metadata: ModelMetadata
    timed: bool

    def predict(self, image: Image) -> Prediction:
        """One (height, width, 3) uint8 BGR picture."""
        ...


class EngineSubject:
    """An engine, decoded by the runtime's core."""

    def __init__(
        self, engine: Engine, thresholds: Sequence[DecodeSettings], *, timed: bool = True
    ) -> None:
        self.name = engine.name
        self.timed = timed
        self.metadata = engine.metadata
        self._engine = engine
        self._preprocessor = Preprocessor()
        self._decoders = [
            Decoder(engine.heads, engine.metadata.num_classes, _options(threshold))
            for threshold in thresholds
        ]

    def predict(self, image: Image) -> Prediction:
        """See `EvaluatedModel`."""
        letterbox = self._preprocessor.run(image, self._engine.input, layout=self.metadata.layout)
        start = time.perf_counter()
        raw = self._engine.run()
        inference_ms = 1e3 * (time.perf_counter() - start)
        logits = []
        for head, array in zip(self._engine.heads, raw, strict=True):
            values = (array.astype(np.float32) - head.zero_point) * np.float32(head.scale)
            logits.append(values[0].transpose(2, 0, 1) if head.layout == "NHWC" else values[0])
        found = tuple(decoder.run(raw, letterbox) for decoder in self._decoders)
        return Prediction(tuple(logits), found, inference_ms)


class BoxSubject:
    """A Core ML package that ends in boxes."""

    timed = False

    def __init__(self, path: Path, thresholds: Sequence[DecodeSettings]) -> None:
        from ..coreml_program.suppression import SuppressedPackage

        self._package = SuppressedPackage(path)
        self.name, self.metadata = self._package.name, self._package.metadata
        self._thresholds = thresholds

    def predict(self, image: Image) -> Prediction:
        """See `EvaluatedModel`."""
        from ..coreml_program.suppression import suppress

        start = time.perf_counter()
        confidence, xyxy = self._package.boxes(image)
        inference_ms = 1e3 * (time.perf_counter() - start)
        found = (suppress(confidence, xyxy, one.confidence, one.iou) for one in self._thresholds)
        return Prediction((), tuple(found), inference_ms)


def open_subject(
    path: Path,
    thresholds: Sequence[DecodeSettings],
    *,
    input_size: tuple[int, int] | None = None,
    num_threads: int = 1,
) -> EvaluatedModel:
    """Anything that tallylens reads or writes: .mlpackage, .tflite, .onnx or .pt.

    Core ML packages run in the evaluator, on macOS in Core ML itself. A checkpoint or foreign
    ONNX file is converted in memory, for `input_size` where it is given.

    Raises:
        InputError: the model is missing or cannot be used.
        MissingExtraError: the packages for it are not installed.
    """
    if path.is_dir():
        return _open_package(path, thresholds)
    try:
        return EngineSubject(open_engine(path, num_threads=num_threads), thresholds)
    except UnsupportedModelError:
        pass  # a source of conversion, or nothing at all, which load will say
    from ..emit.onnx import emit_onnx
    from ..load import load

    content = emit_onnx(load(path, input_size=input_size))
    return EngineSubject(OnnxEngine(content, path, num_threads=num_threads), thresholds)


def _open_package(path: Path, thresholds: Sequence[DecodeSettings]) -> EvaluatedModel:
    from ..coreml_program.engine import CoreMLDeviceEngine, CoreMLEngine
    from ..coreml_program.package import is_package, read_package
    from ..formats import detect

    if not is_package(path):
        detect(path)  # says what the folder is instead
    if read_package(path).is_pipeline:
        return BoxSubject(path, thresholds)
    on_device = sys.platform == "darwin"
    engine = CoreMLDeviceEngine if on_device else CoreMLEngine
    return EngineSubject(engine(path), thresholds, timed=on_device)


def _options(threshold: DecodeSettings) -> DecoderOptions:
    return DecoderOptions(
        confidence=threshold.confidence,
        iou=threshold.iou,
        cross_class_iou=1.0,
        multi_label=threshold.multi_label,
    )
