"""The Detect module of YOLOv5u, YOLOv8 and YOLO11: boxes as distributions, no objectness.

Per head, `cv2` gives 4 * reg_max channels of box sides and `cv3` the class logits. Their outputs
joined along the channels are the raw head output; the expected distance, which `dfl` computes, is
part of decoding.
"""

from __future__ import annotations

import onnx_ir as ir

from ...edge_runtime.errors import UnsupportedModelError
from ...edge_runtime.metadata import BOX_SIDES, MAX_BINS
from ..shapes import size_of
from .assembler import Assembler
from .module import Module

_REMEDY = "Give a detection checkpoint of YOLOv5, YOLOv5u, YOLOv8 or YOLO11"
MASKS = "masks"


def is_distribution(module: Module) -> bool:
    """Whether the last layer has its box sides and its classes in branches of their own."""
    return module.has_child("cv2") and module.has_child("cv3")


def read_reg_max(module: Module, path: str) -> int:
    """The number of bins of a box side.

    Raises:
        UnsupportedModelError: the sides are plain numbers, as in YOLO26.
    """
    reg_max = module.integer("reg_max")
    if reg_max == 1 or module.has_child("one2one_cv2"):
        raise UnsupportedModelError(
            path, "its heads need no suppression, as those of YOLOv10 and YOLO26 do not", _REMEDY
        )
    if not 2 <= reg_max <= MAX_BINS:
        raise module.damaged(f"{module.name}.reg_max is {reg_max}")
    return reg_max


def add_heads(
    assembler: Assembler, module: Module, inputs: list[ir.Value], reg_max: int, num_classes: int
) -> list[ir.Value]:
    """The raw head outputs, (4 * reg_max + num_classes, h, w) each."""
    boxes, classes = (module.child(name).children() for name in ("cv2", "cv3"))
    if not len(boxes) == len(classes) == len(inputs):
        raise module.damaged("its heads do not fit the layers that they read")
    heads = []
    for box, scores, x in zip(boxes, classes, inputs, strict=True):
        sides, logits = assembler.run(box, x), assembler.run(scores, x)
        wanted = BOX_SIDES * reg_max, num_classes
        if (size_of(sides)[0], size_of(logits)[0]) != wanted:
            raise module.damaged(f"{module.name} has not {wanted[0]} and {wanted[1]} channels")
        heads.append(assembler.builder.concat(module.name, [sides, logits]))
    return heads
