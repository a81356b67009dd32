"""Any model file, opened for comparison: a file of an emitter, or a source converted in memory."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ...edge_runtime.engines.onnx import OnnxEngine
from ...edge_runtime.errors import UnsupportedModelError
from ..emit import EMITTERS
from ..formats import is_source
from ..model_under_test import DecodeSettings, EngineModel, EvaluatedModel
from ..passes.keep_classes import KeepClasses


def open_model(
    path: Path,
    settings: Sequence[DecodeSettings],
    *,
    input_size: tuple[int, int] | None = None,
    num_threads: int = 1,
    classes: Sequence[str] = (),
) -> EvaluatedModel:
    """Open any file that tallylens reads or writes: a target of `EMITTERS`, or a source.

    Core ML packages run in the evaluator, on macOS in Core ML itself. A checkpoint or an ONNX file
    of another origin is converted in memory, for `input_size` where it is given, and for `classes`
    only where they are given.

    Raises:
        InputError: the model is missing or cannot be used.
        MissingExtraError: the packages for it are not installed.
    """
    emitter = next((one for one in EMITTERS.values() if one.recognizes(path)), None)
    if emitter is not None:
        try:
            return emitter.open(path, settings, num_threads)
        except UnsupportedModelError:
            if not is_source(path):
                raise
    from ..emit.onnx import emit_onnx
    from ..load import load

    graph = load(path, input_size=input_size)
    if classes:
        graph = KeepClasses(classes)(graph)
    content = emit_onnx(graph)
    return EngineModel(OnnxEngine(content, path, num_threads=num_threads), settings)
