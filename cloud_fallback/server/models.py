"""Pictures to detections, a batch at a time, on whatever this machine has."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from ...edge_runtime.core import DecoderOptions, Preprocessor
from ...edge_runtime.detection.detector import Detector
from ...edge_runtime.detection.pipeline import usable_cores
from ...edge_runtime.engines import open_engine
from ...edge_runtime.engines.onnx import PROVIDERS
from ...edge_runtime.engines.onnx_file import read_onnx_metadata
from ...edge_runtime.errors import ModelError, UnsupportedModelError
from ...edge_runtime.files import sha256
from ...edge_runtime.metadata import ModelMetadata
from ...edge_runtime.types import Detections, Image
from .nms import detections_of, freeze

SERVER_PASS = "server"
MAX_BATCH = {"cpu": 8}
ACCELERATED_BATCH = 32


class BatchDetector(Protocol):
    """One lane of the service; used by one thread at a time."""

    max_batch: int

    def detect(self, images: Sequence[Image]) -> list[Detections]:
        """Objects in each (height, width, 3) uint8 BGR picture, in its own pixels."""


class SingleFrameDetector:
    """The device's own detector: what is found here is what the device would find."""

    max_batch = 1

    def __init__(self, detector: Detector) -> None:
        self._detector = detector

    def detect(self, images: Sequence[Image]) -> list[Detections]:
        """Objects in each picture."""
        return [self._detector.detect(image) for image in images]


class BatchedDetector:
    """A model written by `convert --to onnx --server`: one inference for many pictures."""

    def __init__(self, session: Any, metadata: ModelMetadata, max_batch: int) -> None:
        self.max_batch = max_batch
        self._session = session
        height, width = metadata.input_size
        self._input = np.zeros((max_batch, height, width, 3), np.uint8)
        self._options = DecoderOptions()
        self._preprocessors = [Preprocessor() for _ in range(max_batch)]
        self._pool = ThreadPoolExecutor(min(4, usable_cores()), thread_name_prefix="letterbox")

    def detect(self, images: Sequence[Image]) -> list[Detections]:
        """Objects in each of up to `max_batch` pictures."""
        if not images:
            return []
        letterboxes = list(self._pool.map(self._fill, range(len(images)), images))
        (rows,) = self._session.run(["detections"], {"frames": self._input[: len(images)]})
        return [
            detections_of(found, letterbox, self._options)
            for found, letterbox in zip(rows, letterboxes, strict=True)
        ]

    def close(self) -> None:
        """End the threads."""
        self._pool.shutdown()

    def _fill(self, slot: int, image: Image) -> tuple[float, float, float, float, int, int]:
        target = self._input[slot : slot + 1]
        return freeze(self._preprocessors[slot].run(image, target, layout="NHWC"))


class Served(Protocol):
    """What a service says of its model, and the detectors it has of it."""

    name: str
    digest: str
    engine: str
    metadata: ModelMetadata
    detectors: list[BatchDetector]


class ModelInstances:
    """The detectors of one model, and what the model says about itself."""

    def __init__(self, model: Path, lanes: int | None = None) -> None:
        """Open `model`, a .tflite or .onnx file.

        By default a lane a core, or two that share an accelerator or all cores where the model
        takes batches: one fills its batch while the other's is run.

        Raises:
            ModelError: the file cannot be used.
        """
        self._stack = ExitStack()
        self.name = model.name
        self.digest = ""
        self.engine = ""
        self.detectors: list[BatchDetector] = []
        self.metadata: ModelMetadata
        served = _server_metadata(model)
        if served is not None:
            self.metadata = served
            self._open_batched(model, lanes or 2)
            self.digest = sha256(model)
            return
        for _ in range(lanes or usable_cores()):
            engine = self._stack.enter_context(open_engine(model))
            self.detectors.append(SingleFrameDetector(Detector(engine)))
            self.metadata, self.engine = engine.metadata, engine.name
        self.digest = sha256(model)

    def _open_batched(self, model: Path, lanes: int) -> None:
        session = open_session(model)
        where = session.get_providers()[0].removesuffix("ExecutionProvider").lower()
        self.engine = f"onnxruntime-{where}"
        size = MAX_BATCH.get(where, ACCELERATED_BATCH)
        for _ in range(lanes):
            lane = BatchedDetector(session, self.metadata, size)
            self._stack.callback(lane.close)
            self.detectors.append(lane)

    def close(self) -> None:
        """Free the engines."""
        self._stack.close()


def open_session(model: Path, threads: int | None = None) -> Any:
    """An ONNX Runtime session on the best of what is here; `threads` only matter on a CPU.

    Raises:
        ModelError: ONNX Runtime cannot load the file.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or usable_cores()
    options.log_severity_level = 4
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    found = [one for one in PROVIDERS if one in onnxruntime.get_available_providers()]
    for providers in (found, found[-1:]):
        try:
            return onnxruntime.InferenceSession(
                model.read_bytes(), options, providers=providers, enable_fallback=0
            )
        # The runtime's exceptions have no base of their own, so all of them are caught.
        except Exception as error:
            failure = ModelError(model, "ONNX Runtime cannot load it", "Convert it again")
            failure.__cause__ = error
    raise failure


def _server_metadata(model: Path) -> ModelMetadata | None:
    """The metadata of a model for servers; None for another, which says itself what is wrong."""
    try:
        with model.open("rb") as file:
            content = file.read()
        metadata = read_onnx_metadata(content, str(model))
    except (OSError, ModelError, UnsupportedModelError):
        return None
    return metadata if any(one.name == SERVER_PASS for one in metadata.passes) else None
