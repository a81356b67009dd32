"""DetectorGraph to a .tflite file: float32, float16 weights, or int8 from input to heads.

The graph is traced as one TensorFlow function over the tables of `tflite_ops`, which gives the
converter the same names in every run. For int8, fake-quant nodes carry our own ranges through
the converter, so that no calibration runs in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import onnx_ir as ir

from ...edge_runtime.errors import ModelError, UsageError
from ...edge_runtime.metadata import Quantization
from ...edge_runtime.types import FloatArray
from ..graph import INPUT_NAME, DetectorGraph
from ..quantize.range_selection import tie_ranges
from ..quantize.scheme import WEIGHT_STEPS, Calibration, Ranges, largest_scale, name_of
from .tensorflow import quiet_tensorflow
from .tflite_file import finish, float_tensors
from .tflite_input import FLOAT_IMAGES
from .tflite_ops import LOWERINGS
from .tflite_writer import Tensor, Writer
from .unsupported import refuse_unsupported

# TFLite fixes the scale of a quantized sigmoid.
_SIGMOID_RANGE = (0.0, 255 / 256)


def emit_tflite(
    graph: DetectorGraph,
    *,
    quantization: Quantization = "none",
    calibration: Calibration | None = None,
) -> bytes:
    """The .tflite file's bytes; the same graph gives the same bytes.

    Input `images` (1, h, w, 3): float32 RGB in 0..1, or for int8 uint8 RGB (scale 1/255, zero
    point 0). Outputs (1, h / stride, w / stride, na * (5 + nc)) in the order of the metadata's
    head names, which name both the tensors and the outputs of the signature `serving_default`;
    raw logits, float32 or quantized int8. int8 needs the `calibration` of `observe_ranges`.

    Raises:
        UnsupportedModelError: lists every node that TFLite cannot hold.
        UsageError: int8 without calibration.
        ModelError: TensorFlow's converter gave up.
        MissingExtraError: TensorFlow is not installed.
    """
    refuse_unsupported(graph, "TFLite", {op: low.problem for op, low in LOWERINGS.items()})
    ranges: Ranges = {}
    if quantization == "int8":
        if calibration is None:
            raise UsageError(
                "int8 needs the range of every tensor",
                "Give a folder of images with --calibration",
            )
        ranges = _ranges_to_write(graph, calibration.ranges)
        graph = calibration.apply(graph)
        graph = graph.with_pass(f"calibrate_{calibration.method}", images=calibration.images)
    metadata = replace(graph.metadata, layout="NHWC", quantization=quantization)
    with quiet_tensorflow() as tf:
        scales = calibration.weight_scales if calibration else {}
        content = finish(_convert(tf, graph, quantization, ranges, scales), metadata)
    left = float_tensors(content) if quantization == "int8" else []
    left = [name for name in left if name != FLOAT_IMAGES]
    if left:
        raise ModelError(
            graph.metadata.source_name or "model",
            f"the converter left tensors in float: {', '.join(left[:5])}",
            "Convert with --quantize none or fp16, and please report the model",
        )
    return content


def _ranges_to_write(graph: DetectorGraph, ranges: Ranges) -> dict[str, tuple[float, float]]:
    """Ranges by value name, without those that a kernel fixes or merges away."""
    written = tie_ranges(graph, ranges)
    for node in graph.model.graph:
        name = str(node.outputs[0].name)
        if node.op_type == "Sigmoid":
            written[name] = _SIGMOID_RANGE
        elif node.op_type == "Relu":
            # A fake-quant in between would keep the converter from merging the pair.
            written.pop(str(node.inputs[0].name if node.inputs[0] else ""), None)
    return written


def _convert(
    tf: Any,
    graph: DetectorGraph,
    quantization: Quantization,
    ranges: Ranges,
    scales: Mapping[str, FloatArray],
) -> bytes:
    height, width = graph.metadata.input_size
    signature = tf.TensorSpec((1, height, width, 3), tf.float32, name=INPUT_NAME)
    module = tf.Module()
    module.detect = tf.function(
        lambda images: _trace(tf, graph, images, ranges, scales), input_signature=[signature]
    )
    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [module.detect.get_concrete_function()], module
    )
    converter.exclude_conversion_metadata = True
    if quantization != "none":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if quantization == "fp16":
        converter.target_spec.supported_types = [tf.float16]
    if quantization == "int8":
        converter.inference_input_type, converter.inference_output_type = (
            tf.uint8,
            tf.int8,
        )
    return _run(converter, graph.metadata.source_name)


def _run(converter: Any, source_name: str) -> bytes:
    from tensorflow.lite.python.convert_phase import ConverterError

    try:
        return bytes(converter.convert())
    except (ConverterError, RuntimeError, ValueError) as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise ModelError(
            source_name or "model",
            f"TensorFlow's converter gave up ({reason[:200]})",
            "Convert with --to onnx, and please report the model",
        ) from error


def _trace(
    tf: Any,
    graph: DetectorGraph,
    images: Tensor,
    ranges: Ranges,
    scales: Mapping[str, FloatArray],
) -> dict[str, Tensor]:
    """Write every node in order; the heads by name."""

    def keep(name: str, tensor: Tensor) -> None:
        if name in ranges:
            tensor = tf.quantization.fake_quant_with_min_max_args(tensor, *_wide(ranges[name]))
        tensors[name] = tensor

    def weights(kernel: FloatArray, source: ir.Value, by_channel: bool) -> Tensor:
        """(h, w, in, out) weights as a constant, for int8 symmetric per output channel."""
        if not ranges:
            return tf.constant(kernel)
        if not by_channel:
            end = max(float(np.abs(kernel).max()), 1e-6)
            return tf.quantization.fake_quant_with_min_max_args(
                kernel, -end, end, narrow_range=True
            )
        scale = scales.get(name_of(source))
        if scale is None:
            scale = largest_scale(kernel.transpose(3, 0, 1, 2))
        limit = scale * np.float32(WEIGHT_STEPS)
        return tf.quantization.fake_quant_with_min_max_vars_per_channel(
            kernel, -limit, limit, narrow_range=True
        )

    writer = Writer(tf, weights)
    tensors: dict[str, Tensor] = {}
    keep(INPUT_NAME, images)
    for node in graph.model.graph:
        inputs = [tensors[str(v.name)] for v in node.inputs if v and v.name in tensors]
        keep(
            str(node.outputs[0].name),
            LOWERINGS[node.op_type].emit(writer, node, inputs),
        )
    return {name: tf.identity(tensors[name]) for name in graph.metadata.head_names}


def _wide(limits: tuple[float, float]) -> tuple[float, float]:
    """A range that fake-quant accepts: it must not be empty."""
    low, high = limits
    return low, max(high, low + 1e-6)
