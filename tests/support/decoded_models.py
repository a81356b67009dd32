"""Tiny .tflite detectors that decode their boxes themselves, as other exporters write them.

Input 64x96, two classes; TensorFlow makes them. The weights are random, so that they detect noise.
"""

from __future__ import annotations

import io
import warnings
import zipfile
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from tests.support.engine_models import METADATA, STRIDES

SIZE = (64, 96)  # height, width
CLASSES = 2
PER_CELL = 3
Form = Literal["official", "onnx2tf", "ultralytics"]
Kind = Literal["float32", "float16", "int8"]


def decoded_tflite(form: Form, kind: Kind = "float32") -> bytes:
    """A detector of one exporter.

    `official`: (1, boxes, 5 + classes), sides as fractions; `onnx2tf`: the same in pixels;
    `ultralytics`: (1, 4 + classes, boxes), without objectness, sides as fractions.
    `int8` has uint8 input and output.
    """
    import tensorflow as tf

    convert = tf.lite.TFLiteConverter
    module = _Model(tf, form)
    signature = tf.TensorSpec((1, *SIZE, 3), tf.float32, name="images")
    function = tf.function(module.detect, input_signature=[signature]).get_concrete_function()
    converter = convert.from_concrete_functions([function], module)
    if kind != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if kind == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if kind == "int8":
        generator = np.random.default_rng(6)
        images = generator.uniform(0, 1, (4, 1, *SIZE, 3)).astype(np.float32)
        images[:, 0, 0, 0, 0], images[:, 0, 0, 1, 0] = 0, 1
        converter.representative_dataset = lambda: ([image] for image in images)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.uint8
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return bytes(converter.convert())


def with_archive(model: bytes, members: dict[str, str]) -> bytes:
    """The model with a zip archive behind it, as the TFLite Metadata library appends one."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as files:
        for name, text in members.items():
            files.writestr(name, text)
    return model + archive.getvalue()


class _Model:
    """The function that is exported."""

    def __init__(self, tf: Any, form: Form) -> None:
        self._tf, self._form = tf, form
        random = np.random.default_rng(8)
        self._per_cell = 1 if form == "ultralytics" else PER_CELL
        self._channels = CLASSES + (4 if form == "ultralytics" else 5)
        shape = (3, 3, 3, self._per_cell * self._channels)
        self._weights = [random.normal(0, 0.6, shape).astype(np.float32) for _ in STRIDES]

    def detect(self, images: Any) -> Any:
        tf = self._tf
        rows = [self._head(images, i, stride) for i, stride in enumerate(STRIDES)]
        whole = tf.concat(rows, 1)
        return tf.transpose(whole, (0, 2, 1)) if self._form == "ultralytics" else whole

    def _head(self, images: Any, head: int, stride: int) -> Any:
        tf = self._tf
        raw = tf.nn.conv2d(images, self._weights[head], stride, "SAME")
        height, width = SIZE[0] // stride, SIZE[1] // stride
        cells = tf.reshape(tf.sigmoid(raw), (1, height * width, self._per_cell, self._channels))
        rows = tf.reshape(tf.transpose(cells, (0, 2, 1, 3)), (1, -1, self._channels))
        units = (1.0, 1.0) if self._form == "onnx2tf" else (SIZE[1], SIZE[0])
        grid, anchors = self._grid(head, stride)
        xy = (rows[..., :2] * 2 + (grid - 0.5)) * (stride / np.array(units, np.float32))
        wh = (rows[..., 2:4] * 2) ** 2 * (anchors / np.array(units, np.float32))
        return tf.concat([xy, wh, rows[..., 4:]], -1)

    def _grid(self, head: int, stride: int) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
        y, x = np.mgrid[: SIZE[0] // stride, : SIZE[1] // stride]
        cells = np.stack([x, y], -1).reshape(-1, 2).astype(np.float32)
        grid = np.tile(cells, (self._per_cell, 1))
        anchors = np.array(METADATA.anchors[head][: self._per_cell], np.float32)
        return grid, np.repeat(anchors, len(cells), axis=0)
