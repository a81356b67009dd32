"""The table of emitters: how a detector graph becomes a file of each target, and how that is run.

A new target is one row here and one module that writes it. Request checks, file names, the command
line and verification read this table. Rows import their libraries only when they are used.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from ...edge_runtime.metadata import Quantization

if TYPE_CHECKING:
    from ...edge_runtime.files import Folder
    from ..graph import DetectorGraph
    from ..model_under_test import DecodeSettings, EvaluatedModel
    from ..quantize.scheme import Calibration

Target = str
Content: TypeAlias = "bytes | Folder"

_MAGIC_BYTES = 8


@dataclass(frozen=True)
class CoreMLOptions:
    """Options of Core ML packages.

    `nms`: end in boxes for Vision. `weights_only`: int8 weights, float16 arithmetic (iOS 16).
    """

    nms: bool = False
    weights_only: bool = False


@dataclass(frozen=True)
class EmitOptions:
    """How the file is to be written; an emitter reads what concerns it.

    `calibration`: ranges and weights for int8; None for other quantizations.
    `server`: the ONNX variant for `tallylens serve`.
    """

    quantization: Quantization
    calibration: Calibration | None
    coreml: CoreMLOptions
    server: bool = False


@dataclass(frozen=True)
class Emitter:
    """One target.

    `extension`: of its files, without the dot.
    `quantizations`: those it can write; for any other the file stays float32.
    `emit`: the file's content, or a folder's files by relative path.
    `recognizes`: whether a path holds a file of this target, by content, whatever its name.
    `open`: the file at a path, ready to be compared with its source; takes the decode settings
    and the threads of one inference. Raises UnsupportedModelError for a file of another origin.
    """

    extension: str
    quantizations: tuple[Quantization, ...]
    emit: Callable[[DetectorGraph, EmitOptions], Content]
    recognizes: Callable[[Path], bool]
    open: Callable[[Path, Sequence[DecodeSettings], int], EvaluatedModel]

    def written(self, quantization: Quantization) -> Quantization:
        """The quantization that is in the file when `quantization` is asked for."""
        return quantization if quantization in self.quantizations else "none"


def _starts_with(magic: bytes, offset: int = 0) -> Callable[[Path], bool]:
    def matches(path: Path) -> bool:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            return file.read(_MAGIC_BYTES)[offset:].startswith(magic)

    return matches


def _open_file(path: Path, settings: Sequence[DecodeSettings], num_threads: int) -> EvaluatedModel:
    from ..model_under_test import open_runtime_file

    return open_runtime_file(path, settings, num_threads)


def _emit_onnx(graph: DetectorGraph, options: EmitOptions) -> Content:
    half = options.quantization == "fp16"
    if options.server:
        from .onnx_server import emit_onnx_server

        return emit_onnx_server(graph, half=half)
    from .onnx import emit_onnx

    return emit_onnx(graph, half=half)


def _emit_tflite(graph: DetectorGraph, options: EmitOptions) -> Content:
    from .tflite import emit_tflite

    return emit_tflite(graph, quantization=options.quantization, calibration=options.calibration)


def _emit_coreml(graph: DetectorGraph, options: EmitOptions) -> Content:
    from .coreml.emitter import emit_coreml

    return emit_coreml(
        graph,
        quantization=options.quantization,
        calibration=options.calibration,
        weights_only=options.coreml.weights_only,
        nms=options.coreml.nms,
    )


def _is_coreml(path: Path) -> bool:
    from ..coreml_program.package import is_package

    return is_package(path)


def _open_coreml(
    path: Path, settings: Sequence[DecodeSettings], _num_threads: int
) -> EvaluatedModel:
    from ..model_under_test import open_package

    return open_package(path, settings)


EMITTERS: Mapping[Target, Emitter] = {
    "onnx": Emitter(
        "onnx",
        ("none", "fp16"),
        _emit_onnx,
        _starts_with(b"\x08"),  # a protobuf whose first field is ONNX's ir_version
        _open_file,
    ),
    "tflite": Emitter(
        "tflite",
        ("none", "fp16", "int8"),
        _emit_tflite,
        _starts_with(b"TFL3", offset=4),
        _open_file,
    ),
    "coreml": Emitter(
        "mlpackage", ("none", "fp16", "int8"), _emit_coreml, _is_coreml, _open_coreml
    ),
}
