"""Opens model files with the engine for their format, detected by content."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from ..errors import ModelError, UnsupportedModelError, UsageError
from ..metadata import ModelMetadata
from .engine import Engine

MAX_MODEL_BYTES = 1 << 30
CONVERT = "Convert it first with tallylens convert"


@dataclass(frozen=True)
class EngineInfo:
    """An engine in the output of `doctor`; `version` is None if its package is not installed."""

    name: str
    package: str
    version: str | None
    providers: tuple[str, ...] = ()


def open_engine(
    path: str | os.PathLike[str],
    *,
    num_threads: int = 1,
    providers: Sequence[str] | None = None,
    input_size: tuple[int, int] | None = None,
    class_names: Sequence[str] | None = None,
) -> Engine:
    """Load a .tflite or .onnx file, whatever its suffix.

    ONNX files are those that tallylens wrote; a .tflite may also be one of another exporter that
    ends in decoded boxes.

    Args:
        path: model file.
        num_threads: threads of one inference. Two engines with one thread each process more
            frames per second than one engine with two.
        input_size: a (height, width) other than the file's own, in multiples of the stride;
            .tflite only.
        providers: ONNX Runtime execution providers, best first; None takes those available.
        class_names: replace those of the file.

    Raises:
        ModelError: missing, damaged, too large, or not a model that an engine can run.
        MissingExtraError: the engine's package is not installed.
        UsageError: fewer than 1 thread, an unknown provider, or a size that the model cannot
            run at.
    """
    if num_threads < 1:
        raise UsageError(f"num_threads is {num_threads}", "Use 1 or more")
    model = Path(path)
    data = _read(model)
    if data[4:8] == b"TFL3":
        from .litert import LiteRTEngine

        return LiteRTEngine(
            data, model, num_threads=num_threads, input_size=input_size, class_names=class_names
        )
    if data[:2] == b"PK":
        raise UnsupportedModelError(model, "a PyTorch checkpoint, not a model to run", CONVERT)
    if input_size is not None:
        raise UsageError(
            f"{model.name} has a fixed input size, because it is not a .tflite",
            "Convert the checkpoint to another size",
        )
    from .onnx import OnnxEngine

    return OnnxEngine(
        data, model, num_threads=num_threads, providers=providers, class_names=class_names
    )


def read_metadata(path: Path) -> ModelMetadata:
    """The metadata of a file that `open_engine` opens; needs no engine.

    Raises:
        ModelError: as for `open_engine`.
    """
    data = _read(path)
    if data[4:8] == b"TFL3":
        from .tflite_model import read_tflite

        return read_tflite(data, str(path))[0]
    from .onnx_file import read_onnx_metadata

    return read_onnx_metadata(data, str(path))


def takes_input(path: Path, size: tuple[int, int]) -> bool:
    """Whether `open_engine` can open the model with the input size (height, width) `size`."""
    data = _read(path)
    if data[4:8] != b"TFL3":
        return False
    from .tflite_model import read_tflite
    from .tflite_resize import for_size

    metadata, foreign = read_tflite(data, str(path))
    return foreign is None and for_size(data, metadata, size) is not None


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_MODEL_BYTES + 1)
    except OSError as error:
        reason = error.strerror or "cannot be read"
        raise ModelError(path, reason, "Use the path of a .tflite or .onnx file") from error
    if len(data) > MAX_MODEL_BYTES:
        raise ModelError(path, f"larger than {MAX_MODEL_BYTES >> 20} MiB", "Use a smaller model")
    if not data:
        raise ModelError(path, "the file is empty", "Copy it or convert the checkpoint again")
    return data


def available_engines() -> list[EngineInfo]:
    """All supported engines, installed or not, best first for each format."""
    packages = ("ai-edge-litert", "tflite-runtime", "tensorflow")
    litert = [EngineInfo("litert-xnnpack", package, _version(package)) for package in packages]
    return [*litert, EngineInfo("onnxruntime", "onnxruntime", _onnx_version(), _providers())]


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _onnx_version() -> str | None:
    # GPU builds are packages of other names with the same module.
    if importlib.util.find_spec("onnxruntime") is None:
        return None
    import onnxruntime

    return str(onnxruntime.__version__)


def _providers() -> tuple[str, ...]:
    if importlib.util.find_spec("onnxruntime") is None:
        return ()
    import onnxruntime

    available = onnxruntime.get_available_providers()
    from .onnx import PROVIDERS

    return tuple(provider for provider in PROVIDERS if provider in available)
