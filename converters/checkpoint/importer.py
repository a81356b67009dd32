"""Imports a `.pt` checkpoint as a detector graph."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ...edge_runtime.errors import ModelError
from ...edge_runtime.files import sha256
from ...edge_runtime.metadata import ModelMetadata
from ..builder import GraphBuilder
from ..graph import DetectorGraph
from ..shapes import ShapeError
from ..source_file import check_input_size, check_strides, head_name
from .architecture import HANDLERS
from .archive import DAMAGED, Archive
from .assembler import Assembler
from .detector import Detect, add_layers, class_names, read_detect
from .module import Module, WeightReader
from .pickle_machine import PickleMachine
from .search import find_model
from .training import Training, read_training
from .training import input_size as training_size

DEFAULT_SIZE = (640, 640)


def load_checkpoint(
    path: Path,
    *,
    input_size: tuple[int, int] | None = None,
    batch: int | None = 1,
    names: bool = True,
) -> DetectorGraph:
    """The detector in a YOLOv5 checkpoint, as it was trained: batch norm and Focus not yet folded.

    `input_size` is (height, width) in pixels; None takes the square that training used, or 640x640
    where the file does not say. `batch` None means any. Without `names` those of the file are not
    read, and classes are called class0, class1 and so on.

    Raises:
        UnsafeModelError: the file asks for anything but data.
        UnsupportedModelError: another kind of model or file.
        ModelError: not a checkpoint, or a damaged one.
        UsageError: the size is not a multiple of the largest stride.
    """
    with Archive(path) as archive:
        document = PickleMachine(archive.path, archive.storage_size).load(archive.pickle)
        record = find_model(document, archive.path)
        if not names:
            record.state = record.state | {"names": None}
        model = Module(record, "", WeightReader(archive))
        try:
            return _build(document, model, path, input_size, batch)
        except ShapeError as error:
            raise ModelError(archive.path, f"the layers do not fit: {error}", DAMAGED) from error


def _build(
    document: Any, model: Module, path: Path, wanted: tuple[int, int] | None, batch: int | None
) -> DetectorGraph:
    detect = read_detect(model, str(path))
    trained = training_size(read_training(document), max(detect.strides))
    size = wanted or trained or DEFAULT_SIZE
    check_input_size(size, max(detect.strides))
    builder = GraphBuilder(size, batch)
    heads = add_layers(Assembler(builder, str(path), HANDLERS), model, detect)
    check_strides(heads, detect.strides, detect.channels, size)
    # Detect lists its heads from fine to coarse in every release; a file that does not is sorted.
    order = sorted(range(len(heads)), key=detect.strides.__getitem__)
    graph = builder.finish(
        [heads[index] for index in order], _metadata(document, model, detect, order, path, size)
    )
    if detect.dropped:
        graph = graph.with_pass(f"drop_{detect.dropped}", channels=detect.extra)
    return graph


def checkpoint_training(path: Path) -> Training:
    """The facts of the training that the checkpoint holds; raises as `load_checkpoint`."""
    with Archive(path) as archive:
        machine = PickleMachine(archive.path, archive.storage_size)
        return read_training(machine.load(archive.pickle))


def _metadata(
    document: Any,
    model: Module,
    detect: Detect,
    order: list[int],
    path: Path,
    size: tuple[int, int],
) -> ModelMetadata:
    license = document.get("license") if type(document) is dict else None
    return ModelMetadata(
        class_names=class_names(model, detect.num_classes, str(path)),
        input_size=size,
        strides=tuple(detect.strides[index] for index in order),
        anchors=tuple(
            tuple((float(width), float(height)) for width, height in detect.anchors[index])
            for index in order
        ),
        head_names=tuple(head_name(detect.strides[index]) for index in order),
        source_name=path.name,
        source_sha256=sha256(path),
        weights_license=license[:200] if type(license) is str else "",
        reg_max=detect.reg_max,
    )
