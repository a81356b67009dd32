"""The served model: batches of images to detections, on the accelerator or cores there are."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from ...edge_runtime.core import DecoderOptions, Preprocessor
from ...edge_runtime.detection.detector import Detector, Timing
from ...edge_runtime.detection.pipeline import usable_cores
from ...edge_runtime.engines import open_engine
from ...edge_runtime.engines.onnx import PROVIDERS
from ...edge_runtime.engines.onnx_file import read_onnx_metadata
from ...edge_runtime.errors import ModelError, UnsupportedModelError
from ...edge_runtime.files import sha256
from ...edge_runtime.metadata import SERVER_PASS, ModelMetadata
from ...edge_runtime.types import Detections, Image, YuvPlanes
from .nms import LetterboxValues, detections_of, values_of

MAX_BATCH = {"cpu": 8}
ACCELERATED_BATCH = 32


class DetectorsGoneError(Exception):
    """The detectors run in other processes, and cannot be reached."""


class BatchDetector(Protocol):
    """One instance of the model; used by one thread at a time."""

    max_batch: int

    def detect(self, images: Sequence[Image]) -> list[Detections]:
        """Objects in each (height, width, 3) uint8 BGR image, in its own pixels."""


class SingleFrameDetector:
    """The device's own detector, which finds here what it would find on the device."""

    max_batch = 1

    def __init__(self, detector: Detector) -> None:
        self._detector = detector

    def detect(self, images: Sequence[Image]) -> list[Detections]:
        """Objects in each image."""
        return [self._detector.detect(image) for image in images]


class BatchedDetector:
    """A model written by `convert --to onnx --server`: one inference per batch.

    Attributes:
        timing: of all frames so far; the stages of a batch are measured by the clock.
    """

    def __init__(
        self,
        session: Any,
        metadata: ModelMetadata,
        max_batch: int,
        options: DecoderOptions | None = None,
    ) -> None:
        self.max_batch = max_batch
        self.timing = Timing()
        self._session = session
        height, width = metadata.input_size
        self._input = np.zeros((max_batch, height, width, 3), np.uint8)
        self._options = options or DecoderOptions()
        self._preprocessors = [Preprocessor() for _ in range(max_batch)]
        self._pool = ThreadPoolExecutor(min(4, usable_cores()), thread_name_prefix="letterbox")

    def detect(self, images: Sequence[Image | YuvPlanes]) -> list[Detections]:
        """Objects in each of up to `max_batch` images."""
        if not images:
            return []
        begun = time.perf_counter_ns()
        letterboxes = list(self._pool.map(self._fill, range(len(images)), images))
        filled = time.perf_counter_ns()
        (rows,) = self._session.run(["detections"], {"frames": self._input[: len(images)]})
        ran = time.perf_counter_ns()
        found = [
            detections_of(one, letterbox, self._options)
            for one, letterbox in zip(rows, letterboxes, strict=True)
        ]
        decoded_ns = time.perf_counter_ns() - ran
        self.timing += Timing(len(images), filled - begun, ran - filled, decoded_ns)
        return found

    def close(self) -> None:
        """Stop the threads."""
        self._pool.shutdown()

    def _fill(self, slot: int, image: Image | YuvPlanes) -> LetterboxValues:
        target = self._input[slot : slot + 1]
        return values_of(self._preprocessors[slot].run(image, target, layout="NHWC"))


class ServedModel(Protocol):
    """Facts about the model of a service, and its instances in this process.

    `engine` is the name of what runs it, `digest` the SHA-256 of its file in hexadecimal.
    """

    name: str
    digest: str
    engine: str
    metadata: ModelMetadata
    detectors: list[BatchDetector]


class ModelInstances:
    """The instances of one model in this process.

    Args:
        model: a .tflite or .onnx file.
        number: of instances; by default one per core, or two that share an accelerator or all
            cores where the model takes batches: one fills its batch while the other's runs.

    Raises:
        ModelError: the file cannot be used.
    """

    def __init__(self, model: Path, number: int | None = None) -> None:
        self._stack = ExitStack()
        self.name = model.name
        self.digest = ""
        self.engine = ""
        self.detectors: list[BatchDetector] = []
        self.metadata: ModelMetadata
        self._make: Callable[[DecoderOptions], BatchDetector]
        metadata = server_metadata(model)
        if metadata is None:
            self._open_single(model, number or usable_cores())
        else:
            self.metadata = metadata
            self._open_batched(model, number or 2)
        self.digest = sha256(model)

    def _open_single(self, model: Path, number: int) -> None:
        for _ in range(number):
            engine = self._stack.enter_context(open_engine(model))
            self.metadata, self.engine = engine.metadata, engine.name
            self.detectors.append(SingleFrameDetector(Detector(engine)))
        self._make = lambda options: SingleFrameDetector(Detector(engine, options))

    def _open_batched(self, model: Path, number: int) -> None:
        session = open_session(model)
        self.engine, size = engine_of(session)

        def make(options: DecoderOptions) -> BatchDetector:
            detector = BatchedDetector(session, self.metadata, size, options)
            self._stack.callback(detector.close)
            return detector

        self._make = make
        self.detectors = [make(DecoderOptions()) for _ in range(number)]

    def with_options(self, options: DecoderOptions) -> BatchDetector:
        """One more detector on the last instance, for the same thread, with other thresholds."""
        return self._make(options)

    def close(self) -> None:
        """Free the engines."""
        self._stack.close()


def engine_of(session: Any) -> tuple[str, int]:
    """The engine's name with the provider, as in onnxruntime-cuda, and its largest batch."""
    where = session.get_providers()[0].removesuffix("ExecutionProvider").lower()
    return f"onnxruntime-{where}", MAX_BATCH.get(where, ACCELERATED_BATCH)


def open_session(model: Path, threads: int | None = None) -> Any:
    """An ONNX Runtime session on the best provider there is; `threads` matter only on a CPU.

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
            # As bytes: with a path, the runtime would open weights in other files.
            return onnxruntime.InferenceSession(
                model.read_bytes(), options, providers=providers, enable_fallback=0
            )
        # The runtime's exceptions have no base of their own, so all of them are caught.
        except Exception as error:
            failure = ModelError(model, "ONNX Runtime cannot load it", "Convert it again")
            failure.__cause__ = error
    raise failure


def server_metadata(model: Path) -> ModelMetadata | None:
    """The metadata of a server model; None for any other file: `open_engine` raises its errors."""
    try:
        with model.open("rb") as file:
            # Mapped, since all but the metadata is skipped; ValueError for an empty file.
            content = mmap(file.fileno(), 0, access=ACCESS_READ)
        metadata = read_onnx_metadata(content, str(model))
    except (OSError, ValueError, ModelError, UnsupportedModelError):
        return None
    return metadata if any(one.name == SERVER_PASS for one in metadata.passes) else None
