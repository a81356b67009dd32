"""The model as a whole: layers that name their inputs by number, ending in Detect."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from ...edge_runtime.class_names import GIVE_NAMES, MAX_NAME, numbered_names
from ...edge_runtime.errors import ModelError
from ...edge_runtime.metadata import BOX_SIDES, MAX_ANCHORS, MAX_CLASSES, MAX_HEADS
from ...edge_runtime.types import FloatArray
from .assembler import Assembler
from .distribution_head import MASKS, add_heads, is_distribution, read_reg_max
from .module import Module

MAX_EXTRA = 1024


@dataclass(frozen=True)
class Detect:
    """Settings of the Detect module.

    `anchors`: (heads, anchors, 2) in pixels. `extra`: channels per anchor beside box, objectness
    and classes. `reg_max`: bins of a box side where boxes are distributions, with no anchors; 0
    for YOLOv5's heads.
    """

    module: Module
    strides: tuple[int, ...]
    anchors: FloatArray
    num_classes: int
    extra: int = 0
    reg_max: int = 0

    @property
    def channels(self) -> int:
        """Channels of each head."""
        if self.reg_max:
            return BOX_SIDES * self.reg_max + self.num_classes
        return int(self.anchors.shape[1]) * (5 + self.num_classes)

    @property
    def dropped(self) -> str:
        """The other contents of the heads, which are left out: "masks", "landmarks" or ""."""
        if not self.extra:
            return ""
        return MASKS if self.module.kind == "Segment" else "landmarks"

    def rows(self) -> list[int]:
        """The output rows of a head's convolution that hold boxes and classes."""
        # Landmarks of face detectors lie between objectness and classes, masks behind the classes.
        start = 5 if self.module.kind == "Segment" else 5 + self.extra
        classes = range(start, start + self.num_classes)
        per_anchor = 5 + self.num_classes + self.extra
        return [
            anchor * per_anchor + channel
            for anchor in range(self.anchors.shape[1])
            for channel in (*range(5), *classes)
        ]


def read_detect(model: Module, path: str) -> Detect:
    """The last layer's settings. Anchors lie in the file in cells of their head's grid."""
    layers = model.child("model").children()
    if not layers or layers[-1].kind not in ("Detect", "Segment"):
        raise model.damaged("its last layer is not Detect")
    module = layers[-1]
    num_classes = module.integer("nc")
    if is_distribution(module):
        return _read_distribution(model, module, num_classes, path)
    anchors = module.tensor("anchors")
    # Release 1.0 has its output convolutions before Detect, which only names them.
    heads = len(module.child("m").children() if module.has_child("m") else _sources(module))
    strides = _strides(model, module, heads)
    if not 1 <= num_classes <= MAX_CLASSES or not 1 <= heads <= MAX_HEADS:
        raise model.damaged(f"{num_classes} classes and {heads} heads")
    if anchors.ndim != 3 or anchors.shape[::2] != (heads, 2) or anchors.shape[1] > MAX_ANCHORS:
        raise model.damaged("its anchors do not fit its heads")
    pixels = anchors * np.array(strides, np.float32)[:, None, None]
    if not (np.isfinite(pixels).all() and (pixels > 0).all()):
        raise model.damaged("its anchors are not above zero")
    extra = module.integer("no", 5 + num_classes) - 5 - num_classes
    if not 0 <= extra <= MAX_EXTRA:
        raise model.damaged(f"it has {extra} channels beside its boxes")
    return Detect(module, strides, pixels, num_classes, extra)


def _read_distribution(model: Module, module: Module, num_classes: int, path: str) -> Detect:
    heads = len(module.child("cv2").children())
    reg_max = read_reg_max(module, path)
    strides = _strides(model, module, heads)
    if not 1 <= num_classes <= MAX_CLASSES or not 1 <= heads <= MAX_HEADS:
        raise model.damaged(f"{num_classes} classes and {heads} heads")
    masks = module.integer("nm", 0) if module.kind == "Segment" else 0
    return Detect(module, strides, np.zeros((heads, 0, 2), np.float32), num_classes, masks, reg_max)


def class_names(model: Module, num_classes: int, path: str) -> tuple[str, ...]:
    """The names from the checkpoint, a list or a dictionary by number; else class0, class1...

    Names may be numbers or yes and no, as YAML reads them where they stand without quotes.

    Raises:
        ModelError: the file names other classes than it has.
    """
    names = model.attribute("names", lambda _: True)
    if type(names) in (list, tuple):
        names = dict(enumerate(names))
    if names is None or names == {}:
        return numbered_names(num_classes)
    by_number = names if type(names) is dict else {}
    found = [by_number.get(key, by_number.get(str(key))) for key in range(num_classes)]
    texts = tuple(str(name) for name in found if type(name) in (str, int, float, bool))
    if len(texts) != num_classes or any(len(text) > MAX_NAME for text in texts):
        raise ModelError(path, f"its class names do not fit its {num_classes} classes", GIVE_NAMES)
    return texts


def add_layers(assembler: Assembler, model: Module, detect: Detect) -> list[ir.Value]:
    """Run all layers; the raw head outputs in the order in which Detect lists them.

    Every layer has `f`, the number of the layer that it reads (-1: the one before it), or several.
    """
    outputs: list[ir.Value] = []
    x = assembler.builder.input
    layers = model.child("model").children()
    for layer in layers[:-1]:
        inputs = _inputs(layer, outputs, x)
        join = _JOINING.get(layer.kind)
        x = join(assembler, layer, inputs) if join else assembler.run(layer, _only(layer, inputs))
        outputs.append(x)
    inputs = _inputs(layers[-1], outputs, x)
    if detect.reg_max:
        return add_heads(assembler, layers[-1], inputs, detect.reg_max, detect.num_classes)
    if not layers[-1].has_child("m"):
        return inputs
    convs = layers[-1].child("m").children()
    if len(inputs) != len(convs):
        raise model.damaged("its heads do not fit the layers that they read")
    rows = detect.rows() if detect.extra else None
    return [assembler.conv2d(conv, value, rows) for conv, value in zip(convs, inputs, strict=True)]


def _strides(model: Module, detect: Module, heads: int) -> tuple[int, ...]:
    values = detect.optional_tensor("stride")
    if values is None:
        values = model.tensor("stride")
    strides = tuple(int(stride) for stride in values.ravel())
    if len(strides) != heads or any(not 1 <= stride <= 1024 for stride in strides):
        raise detect.damaged("its strides do not fit its heads")
    return strides


def _inputs(layer: Module, outputs: list[ir.Value], x: ir.Value) -> list[ir.Value]:
    numbers = _sources(layer)
    valid = range(-len(outputs), len(outputs))
    if any(type(number) is not int or number not in (-1, *valid) for number in numbers):
        raise layer.damaged(f"{layer.name} reads a layer that does not come before it")
    return [x if number == -1 else outputs[number] for number in numbers]


def _sources(layer: Module) -> list[int]:
    """The numbers of the layers that it reads."""
    source = layer.attribute("f", lambda value: type(value) in (int, list))
    return source if type(source) is list else [source]


def _only(layer: Module, inputs: list[ir.Value]) -> ir.Value:
    if len(inputs) != 1:
        raise layer.damaged(f"{layer.name} ({layer.kind}) reads {len(inputs)} layers")
    return inputs[0]


def _concat(assembler: Assembler, layer: Module, inputs: list[ir.Value]) -> ir.Value:
    if layer.integer("d", 1) != 1 or not inputs:
        raise assembler.unsupported(f"{layer.name} is a Concat along another dimension")
    return assembler.builder.concat(layer.name, inputs)


def _add(assembler: Assembler, layer: Module, inputs: list[ir.Value]) -> ir.Value:
    if len(inputs) != 2:
        raise layer.damaged(f"{layer.name} adds {len(inputs)} layers")
    return assembler.builder.add("Add", f"{layer.name}/Add", inputs)


_JOINING = {"ADD": _add, "Concat": _concat}
