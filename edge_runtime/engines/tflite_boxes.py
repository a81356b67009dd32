"""Recognizes the output of .tflite detectors that others exported, by shapes and quantization.

Such models decode their boxes themselves. Two layouts are in use:

- YOLOv5's own exporter, and onnx2tf from a YOLOv5 ONNX: (1, boxes, 5 + classes), each box center x,
  center y, width, height, objectness, classes; several boxes per cell.
- the ultralytics package (YOLOv5u, YOLOv8, YOLO11): (1, 4 + classes, boxes), without objectness;
  one box per cell.

Either may be transposed. Sides are in pixels or fractions of the input; a quantized output says
which by its range, of a float output the values of a run do (`units_of`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from ..class_names import numbered_names
from ..errors import UnsupportedModelError
from ..metadata import MAX_CLASSES, MAX_INPUT_SIDE, Layout, ModelMetadata, Quantization
from ..types import HeadContent, HeadSpec
from .heads import Tensor, check_input
from .tflite_labels import OwnWords

Shape = tuple[int, ...]
_BOX = {"scored_boxes": 5, "class_boxes": 4}
_STRIDES = ((8, 16, 32), (8, 16, 32, 64), (16, 32), (4, 8, 16, 32), (8, 16))
_ANCHORS = (3, *(number for number in range(1, 17) if number != 3))
# Of the end-to-end models: x1, y1, x2, y2, score, class of at most that many boxes.
_SUPPRESSED = 6
_MOST_SUPPRESSED = 1000
_COARSE_STEP = 1 / 8
EXPORT = (
    "Convert the checkpoint (.pt or .onnx) that it was made from with tallylens convert, or "
    "export it with decoded boxes and without NMS"
)


@dataclass(frozen=True)
class ForeignModel:
    """A detector of another exporter.

    `output` is the position of the boxes among the outputs. `units_known` is False where only the
    values of a run say whether sides are pixels or fractions of the input.
    """

    metadata: ModelMetadata
    output: int
    head: HeadSpec
    units_known: bool

    def with_units(self, units: tuple[float, float]) -> HeadSpec:
        """The head with the input pixels that 1 is in x and in y."""
        return replace(self.head, units=units)


@dataclass(frozen=True)
class _Boxes:
    layout: Layout
    content: HeadContent
    strides: tuple[int, ...]
    boxes: int
    channels: int


def recognize(
    inputs: Sequence[Tensor],
    outputs: Sequence[Tensor],
    path: str,
    *,
    class_names: Sequence[str] | None = None,
    own: OwnWords | None = None,
) -> ForeignModel:
    """The detector with these inputs and outputs.

    Args:
        inputs, outputs: as the file describes them.
        path: of the file, for messages.
        class_names: names that the user gives; they replace the file's own.
        own: what the file says about itself.

    Raises:
        UnsupportedModelError: another kind of model, named as far as its shapes show.
        ModelError: an input that takes no pixels.
    """
    own = own or OwnWords()
    size, layout = _input(inputs, path)
    names = tuple(class_names) if class_names is not None else own.class_names
    prototypes = _prototypes(outputs)
    found = []
    for position, output in enumerate(outputs):
        known = None if names is None else len(names) + prototypes
        boxes = _boxes(output.shape, size, known)
        if boxes is not None:
            found.append((position, boxes))
    if len(found) != 1:
        raise _unsupported(path, _what_else(outputs, len(found)))
    if own.task not in (None, "detect", "segment"):
        raise _unsupported(path, f"a model for the task {own.task!r}, not a detector")
    position, boxes = found[0]
    output = outputs[position]
    classes = boxes.channels - _BOX[boxes.content] - prototypes
    if not 1 <= classes <= MAX_CLASSES:
        raise _unsupported(path, f"its output of shape {output.shape} has no classes")
    if names is not None and len(names) != classes:
        who = "--names gives" if class_names is not None else "its own metadata names"
        raise UnsupportedModelError(
            path, f"it has {classes} classes, {who} {len(names)}", "Give the model's own names"
        )
    _check_steps(output, path)
    metadata = ModelMetadata(
        class_names=names or numbered_names(classes),
        input_size=size,
        strides=boxes.strides,
        anchors=((),) * len(boxes.strides),
        head_names=(output.name,),
        layout=layout,
        quantization=_quantization(inputs[0], output),
    )
    check_input(metadata, inputs[0], path)
    units = _quantized_units(output, size)
    head = HeadSpec(
        name=output.name,
        dtype=output.dtype,  # type: ignore[arg-type]
        layout=boxes.layout,
        width=boxes.boxes,
        height=1,
        stride=max(boxes.strides),
        anchors=(),
        scale=output.scale,
        zero_point=output.zero_point,
        content=boxes.content,
        extra_channels=prototypes,
        units=units or (1.0, 1.0),
    )
    return ForeignModel(metadata, position, head, units is not None)


def units_of(
    head: HeadSpec, values: npt.NDArray[np.generic], size: tuple[int, int]
) -> tuple[float, float]:
    """Input pixels per 1 in x and y, by the values of a run on any image of (height, width) `size`.

    The cells reach to the right edge of the input, so that the largest center is near its width in
    pixels, or near 1.
    """
    centers = values[0, :, 0] if head.layout == "NHWC" else values[0, 0]
    finite = centers[np.isfinite(centers)]
    return _units(float(finite.max(initial=0.0)), size)


def _units(largest: float, size: tuple[int, int]) -> tuple[float, float]:
    height, width = size
    in_pixels = largest > math.sqrt(width)
    return (1.0, 1.0) if in_pixels else (float(width), float(height))


def _quantized_units(output: Tensor, size: tuple[int, int]) -> tuple[float, float] | None:
    if output.dtype == "float32":
        return None
    return _units(output.scale * (np.iinfo(output.dtype).max - output.zero_point), size)


def _check_steps(output: Tensor, path: str) -> None:
    """Refuse an output whose scores and boxes share a scale that is too coarse for scores."""
    if output.dtype not in ("float32", "uint8", "int8"):
        raise _unsupported(path, f"its output is {output.dtype}, not float32, uint8 or int8")
    if output.dtype != "float32" and not 0 < output.scale < _COARSE_STEP:
        raise _unsupported(
            path,
            f"its {output.dtype} output has steps of {output.scale:.3g}, so that scores of 0 to 1 "
            "are lost: nothing would be detected",
        )


def _input(inputs: Sequence[Tensor], path: str) -> tuple[tuple[int, int], Layout]:
    """(height, width) and layout of the only input."""
    if len(inputs) != 1:
        raise _unsupported(path, f"a model with {len(inputs)} inputs")
    shape = inputs[0].shape or (0,)
    layout: Layout = "NHWC" if shape[-1:] == (3,) else "NCHW"
    batch, *size = shape if layout == "NCHW" else (*shape[:1], *shape[-1:], *shape[1:-1])
    if len(size) != 3 or batch != 1 or size[0] != 3 or max(size) > MAX_INPUT_SIDE or 0 in size:
        raise _unsupported(path, f"its input has shape {shape}, which is not one RGB image")
    return (size[1], size[2]), layout


def _boxes(shape: Shape, size: tuple[int, int], known: int | None) -> _Boxes | None:
    """How an output of this shape holds boxes; None if it holds none.

    `known` is the number of channels after the box and objectness, where that is known.
    """
    if len(shape) != 3 or shape[0] != 1:
        return None
    orders: tuple[tuple[Layout, int, int], ...] = (
        ("NHWC", shape[1], shape[2]),
        ("NCHW", shape[2], shape[1]),
    )
    fitting = [
        _Boxes(layout, content, strides, boxes, channels)
        for layout, boxes, channels in orders
        for strides, per_cell in _grids(boxes, size)
        for content in _contents(per_cell)
        if channels > _BOX[content]
    ]
    # One box per cell may have an objectness too: the number of names decides.
    right = [one for one in fitting if known is None or one.channels - _BOX[one.content] == known]
    return next(iter(right or fitting), None)


def _grids(boxes: int, size: tuple[int, int]) -> list[tuple[tuple[int, ...], int]]:
    """The strides and boxes per cell that give that many boxes."""
    found = []
    for strides in _STRIDES:
        if any(side % max(strides) for side in size):
            continue
        cells = sum((size[0] // stride) * (size[1] // stride) for stride in strides)
        if boxes % cells == 0 and boxes // cells in _ANCHORS:
            found.append((strides, boxes // cells))
    return sorted(found, key=lambda one: _ANCHORS.index(one[1]) if one[1] != 1 else 0)


def _contents(per_cell: int) -> tuple[HeadContent, ...]:
    return ("class_boxes", "scored_boxes") if per_cell == 1 else ("scored_boxes",)


def _prototypes(outputs: Sequence[Tensor]) -> int:
    """The masks per image of a segmentation model, which has as many channels after the classes."""
    for output in outputs:
        if len(outputs) == 2 and len(output.shape) == 4 and 32 in output.shape[1:]:
            return 32
    return 0


def _quantization(image: Tensor, output: Tensor) -> Quantization:
    return "none" if "float32" in (image.dtype, output.dtype) else "int8"


def _what_else(outputs: Sequence[Tensor], found: int) -> str:
    """The kind of a model whose outputs do not hold boxes, in words."""
    shapes = [output.shape for output in outputs]
    listed = ", ".join(map(str, shapes[:4])) + (", ..." if len(shapes) > 4 else "")
    if found > 1:
        return f"{found} of its outputs ({listed}) hold boxes, instead of one"
    if any(_is_suppressed(shape) for shape in shapes) or len(outputs) == 4:
        return f"a detector with NMS inside (outputs {listed})"
    if not shapes:
        return "a model without outputs"
    if all(len(shape) == 4 for shape in shapes):
        return f"raw head outputs ({listed}) without the anchors to decode them"
    if all(len(shape) == 2 for shape in shapes):
        return f"a classifier, or no detector (outputs {listed})"
    return f"no YOLO detector: its outputs ({listed}) fit no grid of its input"


def _is_suppressed(shape: Shape) -> bool:
    return len(shape) == 3 and shape[2] == _SUPPRESSED and shape[1] <= _MOST_SUPPRESSED


def _unsupported(path: str, problem: str) -> UnsupportedModelError:
    return UnsupportedModelError(
        path, f"a TFLite model without tallylens metadata: {problem}", EXPORT
    )
