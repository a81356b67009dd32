"""Loads a source file (.pt or .onnx) as a detector graph."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..edge_runtime.engines.heads import renamed
from ..edge_runtime.errors import MissingExtraError, UsageError
from .formats import detect

if TYPE_CHECKING:
    from .graph import DetectorGraph


def load(
    path: str | os.PathLike[str],
    *,
    input_size: tuple[int, int] | None = None,
    batch: int | None = 1,
    class_names: Sequence[str] | None = None,
) -> DetectorGraph:
    """The detector in a YOLOv5 `.pt` or `.onnx` file: raw head outputs, batch norm folded.

    `input_size` is (height, width) in pixels, multiples of the largest stride; None takes the
    size the file was made for, or 640x640. `batch` None means any. `class_names` replace those of
    the file. Nothing in the file is run.

    Raises:
        UnsafeModelError: the file asks for more than data.
        UnsupportedModelError: another kind of model or file.
        ModelError: missing, damaged, or no model.
        UsageError: a size or batch that the model cannot take.
        MissingExtraError: the packages for conversion are not installed.
    """
    source = Path(path)
    kind = detect(source)
    if batch is not None and batch < 1:
        raise UsageError(f"a batch of {batch} images", "Give a batch of 1 or more")
    try:
        import onnx_ir  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("onnx-ir", "convert", "reading a model") from error
    if kind == "checkpoint":
        from .checkpoint.importer import load_checkpoint

        graph = load_checkpoint(
            source, input_size=input_size, batch=batch, names=class_names is None
        )
    else:
        from .onnx_import.importer import load_onnx

        graph = load_onnx(source, input_size=input_size, batch=batch, names=class_names is None)
    graph = _canonical(graph)
    return replace(graph, metadata=renamed(graph.metadata, class_names, str(source)))


def _canonical(graph: DetectorGraph) -> DetectorGraph:
    from .passes.focus_to_conv import FocusToConv
    from .passes.fold_batchnorm import FoldBatchNorm

    for step in (FoldBatchNorm(), FocusToConv()):
        graph = step(graph)
    return graph
