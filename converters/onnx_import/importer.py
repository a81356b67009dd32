"""Imports an `.onnx` file as a detector graph."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx_ir as ir
from onnx import TensorProto, ValueInfoProto

from ...edge_runtime.class_names import GIVE_NAMES, numbered_names, parse_names
from ...edge_runtime.errors import ModelError, UnsupportedModelError
from ...edge_runtime.files import sha256
from ...edge_runtime.metadata import (
    MAX_ANCHORS,
    MAX_CLASSES,
    MAX_HEADS,
    METADATA_KEY,
    ModelMetadata,
)
from ..builder import GraphBuilder
from ..graph import DetectorGraph
from ..operators import set_input
from ..shapes import ShapeError, constant, size_of
from ..source_file import check_input_size, check_strides, head_name
from .distribution_heads import find_distributions, import_distributions
from .graph_rebuilder import GraphRebuilder
from .heads import (
    Pairs,
    Tail,
    anchors_per_cell,
    find_anchors,
    find_tails,
    is_detection,
    mask_channels,
)
from .map_operators import HANDLERS
from .onnx_file import DAMAGED, EXPORT_AGAIN, OnnxSource
from .rearranging import STEPS

DEFAULT_SIDE = 640
MAX_PROBE_SIDE = 8192
_LANDMARKS = (8, 10, 15)  # four corners, five points, five points that may be hidden
GIVE_CHECKPOINT = "Give tallylens the .pt checkpoint that this file was exported from"


def load_onnx(
    path: Path,
    *,
    input_size: tuple[int, int] | None = None,
    batch: int | None = 1,
    names: bool = True,
) -> DetectorGraph:
    """The detector in an ONNX file, its decode tail cut off.

    `input_size` is (height, width) in pixels; None takes the file's own, or 640x640 where the
    file takes any. A file of fixed size is rebuilt for the size asked for. Without `names` classes
    are called class0, class1 and so on, unless tallylens wrote the file.

    Raises:
        UnsafeModelError: the file refers to other files.
        UnsupportedModelError: another kind of model.
        ModelError: damaged, or without the anchors and names that raw head outputs need.
        UsageError: the size is not a multiple of the largest stride.
    """
    source = OnnxSource(path, names=names)
    images = source.input()
    builder = GraphBuilder(_probe_size(source, images), _probe_batch(images))
    rebuilder = GraphRebuilder(source, builder, images.name, HANDLERS, STEPS)
    try:
        graph = _import(source, rebuilder)
        size = input_size or graph.metadata.input_size
        check_input_size(size, max(graph.metadata.strides))
        set_input(graph.model, size, batch)
        check_strides(graph.model.graph.outputs, graph.metadata.strides, _channels(graph), size)
    except ShapeError as error:
        raise ModelError(source.path, f"the operators do not fit: {error}", DAMAGED) from error
    return replace(graph, metadata=_with_source(graph.metadata, path, size))


def _import(source: OnnxSource, rebuilder: GraphRebuilder) -> DetectorGraph:
    text = source.properties.get(METADATA_KEY)
    if text is not None:
        return _import_own(source, rebuilder, ModelMetadata.from_json(text, source.path))
    exported = find_distributions(source, rebuilder.known)
    if exported is not None:
        return import_distributions(
            rebuilder, exported, lambda number: _class_names(source, number)
        )
    tails = find_tails(source)
    if not tails:
        raise _no_heads(source)
    if len(tails) > MAX_HEADS:
        raise source.unsupported(f"the model has {len(tails)} heads")
    masks = {mask_channels(source, rebuilder.known, tail) for tail in tails}
    extra = masks.pop() if len(masks) == 1 else None
    if extra is None and not all(is_detection(source, tail) for tail in tails):
        raise UnsupportedModelError(
            source.path,
            "this looks like a segmentation model, and tallylens counts with detection models",
            "Export a YOLOv5 detection checkpoint",
        )
    return _import_exported(source, rebuilder, tails, extra or 0)


def _import_own(
    source: OnnxSource, rebuilder: GraphRebuilder, metadata: ModelMetadata
) -> DetectorGraph:
    """A file that tallylens wrote: its outputs are the raw head outputs already."""
    if set(metadata.head_names) - source.producer.keys():
        raise source.damaged("it lacks heads that its metadata names")
    if len({len(head) for head in metadata.anchors}) != 1:
        raise source.damaged("its heads have different numbers of anchors")
    heads = rebuilder.build(metadata.head_names)
    by_stride = sorted(zip(metadata.strides, metadata.anchors, heads, strict=True), key=_first)
    return rebuilder.builder.finish(
        [head for _, _, head in by_stride],
        replace(
            metadata,
            strides=tuple(stride for stride, _, _ in by_stride),
            anchors=tuple(anchors for _, anchors, _ in by_stride),
            head_names=tuple(head_name(stride) for stride, _, _ in by_stride),
            layout="NCHW",
            quantization="none",
        ),
    )


def _import_exported(
    source: OnnxSource, rebuilder: GraphRebuilder, tails: list[Tail], masks: int
) -> DetectorGraph:
    """A file of the official exporter: everything after the heads' convolutions is cut off.

    `masks`: channels per anchor behind the classes, which are left out.
    """
    heads = rebuilder.build([tail.conv.output[0] for tail in tails])
    found = []
    for tail, head in zip(tails, heads, strict=True):
        stride = _stride(rebuilder.builder.input, head)
        found.append((stride, _anchors(source, rebuilder, tail), head))
    found.sort(key=_first)
    channels = {size_of(head)[0] / len(anchors) for _, anchors, head in found}
    num_classes = channels.pop() - 5 - masks
    if channels or not 1 <= num_classes <= MAX_CLASSES or num_classes != int(num_classes):
        raise source.damaged("its heads have channels that fit no number of classes")
    _refuse_landmarks(source, int(num_classes))
    metadata = ModelMetadata(
        class_names=_class_names(source, int(num_classes)),
        input_size=_size(rebuilder.builder.input),
        strides=tuple(stride for stride, _, _ in found),
        anchors=tuple(anchors for _, anchors, _ in found),
        head_names=tuple(head_name(stride) for stride, _, _ in found),
        weights_license=source.properties.get("license", "")[:200],
    )
    if masks:
        for _, anchors, head in found:
            _cut_masks(rebuilder, head, len(anchors), 5 + int(num_classes), masks)
    graph = rebuilder.builder.finish([head for _, _, head in found], metadata)
    return graph.with_pass("drop_masks", channels=masks) if masks else graph


def _cut_masks(
    rebuilder: GraphRebuilder, head: ir.Value, anchors: int, kept: int, masks: int
) -> None:
    """Leave the first `kept` of the `kept + masks` channels of each anchor in a head."""
    conv = head.producer()
    if conv is None or head.shape is None or conv.op_type != "Conv":
        raise rebuilder.unsupported("a head does not end in a convolution")
    starts = np.arange(anchors)[:, None] * (kept + masks)
    rows = (starts + np.arange(kept)).ravel()
    for index, value in enumerate(conv.inputs[1:], start=1):
        if value is not None:
            array = constant(conv, index)[rows]
            conv.replace_input_with(index, rebuilder.builder.constant(f"{value.name}.boxes", array))
    head.shape = ir.Shape([head.shape[0], len(rows), *head.shape[2:]])


def _refuse_landmarks(source: OnnxSource, channels: int) -> None:
    """A head may hold more than boxes and the classes that the file names."""
    text = source.properties.get("names", "")
    for landmarks in _LANDMARKS:
        named = channels - landmarks
        fits = parse_names(text, named) is not None and parse_names(text, named - 1) is None
        if named > 0 and fits:
            raise UnsupportedModelError(
                source.path,
                f"its heads hold {landmarks} channels beside boxes and classes: this looks like a "
                "detector of landmarks, such as faces or plates",
                "Give the .pt checkpoint, of which tallylens takes the boxes",
            )


def _first(item: tuple[int, Pairs, ir.Value]) -> int:
    return item[0]


def _anchors(source: OnnxSource, rebuilder: GraphRebuilder, tail: Tail) -> Pairs:
    count = anchors_per_cell(rebuilder.known, tail)
    if count is None or not 1 <= count <= MAX_ANCHORS:
        raise source.unsupported("the number of anchors of a head cannot be determined")
    anchors = find_anchors(source, rebuilder.known, tail, count)
    if anchors is None:
        raise ModelError(
            source.path,
            "the file ends in raw head outputs and does not say what their anchors are",
            f"Export it with its decode tail (the exporter's default). Or: {GIVE_CHECKPOINT}",
        )
    if not all(0 < side < 1e6 for pair in anchors for side in pair):
        raise source.damaged("its anchors are not above zero")
    return anchors


def _class_names(source: OnnxSource, count: int) -> tuple[str, ...]:
    text = source.properties.get("names")
    if text is None or not source.reads_names:
        return numbered_names(count)
    names = parse_names(text, count)
    if names is None:
        raise ModelError(source.path, f"its class names are not a list of {count}", GIVE_NAMES)
    return names


def _stride(images: ir.Value, head: ir.Value) -> int:
    height, width = _size(images)
    rows, columns = size_of(head)[1:]
    if height % rows or width % columns or height // rows != width // columns:
        raise ShapeError(f"{head.name} has {rows}x{columns} cells for {height}x{width} pixels")
    return height // rows


def _no_heads(source: OnnxSource) -> ModelError:
    outputs = list(source.proto.graph.output)
    kind = _other_kind(source)
    if kind:
        return UnsupportedModelError(
            source.path,
            f"this looks like {kind}, and tallylens counts with detection models",
            "Export a YOLOv5 detection checkpoint with its export.py --include onnx",
        )
    raw = [item for item in outputs if len(item.type.tensor_type.shape.dim) in (4, 5)]
    if len(outputs) > 1 and len(raw) == len(outputs):
        return ModelError(
            source.path,
            "the file ends in raw head outputs and says neither anchors nor class names",
            f"Export it with its decode tail (the exporter's default). Or: {GIVE_CHECKPOINT}",
        )
    return UnsupportedModelError(
        source.path,
        "no YOLOv5 heads in it: another kind of model, or another version of YOLO",
        "Export a YOLOv5 detection checkpoint with its export.py --include onnx",
    )


def _other_kind(source: OnnxSource) -> str:
    """The kind of a model without heads, by its operators and outputs; "" where it is unknown."""
    operators = {node.op_type for node in source.nodes}
    if operators & {"LSTM", "GRU", "RNN"}:
        return "a recurrent model, such as a recognizer of text"
    ranks = [len(item.type.tensor_type.shape.dim) for item in source.proto.graph.output]
    return "a classification model" if ranks == [2] else ""


def _probe_size(source: OnnxSource, images: ValueInfoProto) -> tuple[int, int]:
    """The input size (height, width) while importing: the file's own, 640 where it takes any."""
    tensor = images.type.tensor_type
    dims = tensor.shape.dim
    if tensor.elem_type not in (TensorProto.FLOAT, TensorProto.FLOAT16) or len(dims) != 4:
        raise UnsupportedModelError(
            source.path, "its input is not one image of floating point numbers", EXPORT_AGAIN
        )
    if dims[1].HasField("dim_value") and dims[1].dim_value != 3:
        raise UnsupportedModelError(
            source.path,
            f"its images have {dims[1].dim_value} channels, expected 3 in the order NCHW",
            EXPORT_AGAIN,
        )
    height, width = (dim.dim_value or DEFAULT_SIDE for dim in dims[2:])
    if not (0 < height <= MAX_PROBE_SIDE and 0 < width <= MAX_PROBE_SIDE):
        raise source.damaged(f"an input of {height}x{width} pixels")
    return height, width


def _probe_batch(images: ValueInfoProto) -> int:
    batch = images.type.tensor_type.shape.dim[0].dim_value
    return batch if 0 < batch <= 1024 else 1


def _size(images: ir.Value) -> tuple[int, int]:
    _, height, width = size_of(images)
    return height, width


def _channels(graph: DetectorGraph) -> int:
    return graph.metadata.head_channels(0)


def _with_source(metadata: ModelMetadata, path: Path, size: tuple[int, int]) -> ModelMetadata:
    """Provenance: a file of tallylens keeps naming the source that it was made from."""
    return replace(
        metadata,
        input_size=size,
        source_name=metadata.source_name or path.name,
        source_sha256=metadata.source_sha256 or sha256(path),
    )
