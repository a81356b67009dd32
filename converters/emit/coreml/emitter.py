"""DetectorGraph to an .mlpackage: an ML program in float32, float16, W8 or W8A8.

The program is built op by op with coremltools' MIL builder and saved as it was built: no graph
pass rewrites it, so the file holds exactly the ops and roundings that are written here.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from ....edge_runtime.errors import UsageError
from ....edge_runtime.metadata import Quantization
from ....edge_runtime.types import FloatArray
from ...coreml_program.coremltools import quiet_coremltools
from ...graph import INPUT_NAME, DetectorGraph
from ...quantize.scheme import Calibration
from ..unsupported import refuse_unsupported
from .nms import add_nms, decode_boxes
from .ops import LOWERINGS, Var, Writer, is_part_of_silu
from .package import pack
from .quantize import Affine, quantize_weights, quantized_values

IMAGE_NAME = "image"


def emit_coreml(
    graph: DetectorGraph,
    *,
    quantization: Quantization = "none",
    calibration: Calibration | None = None,
    weights_only: bool = False,
    nms: bool = False,
) -> dict[str, bytes]:
    """The files of an .mlpackage by their paths inside it; the same graph gives the same bytes.

    Input `image`: an RGB image of the model's size; its scale to 0..1 is inside. Outputs: the raw
    head outputs by the names of the metadata, (1, na * (5 + nc), h, w) float32 logits.

    - "none": weights and arithmetic in float32; iOS 16.
    - "fp16": both in float16; iOS 16.
    - "int8": weights in 8 bits, one scale per channel, and what flows between layers in 8 bits with
      the ranges of `calibration` (W8A8); iOS 17. With `weights_only` arithmetic stays in float16
      and no calibration is needed (W8), though it makes the weights better; iOS 16.

    With `nms` the package is a pipeline that ends in `confidence` (boxes, classes) and
    `coordinates` (boxes, 4: center x, center y, width, height as fractions of the input) instead,
    which Vision gives as VNRecognizedObjectObservation; see `nms`.

    Raises:
        UnsupportedModelError: lists every node that Core ML cannot hold.
        UsageError: int8 without calibration.
        MissingExtraError: coremltools is not installed.
    """
    refuse_unsupported(graph, "Core ML", {op: low.problem for op, low in LOWERINGS.items()})
    form = _Form(quantization)
    if quantization == "int8":
        graph, form = _quantized(graph, calibration, weights_only=weights_only)
    metadata = replace(graph.metadata, layout="NCHW", quantization=quantization)
    with quiet_coremltools() as ct:
        target = ct.target.iOS17 if form.activations else ct.target.iOS16
        program = _program(graph, form, target, nms=nms)
        spec, weights = _convert(ct, program, metadata.input_size, target)
        if nms:
            spec = add_nms(spec, metadata.class_names)
        return pack(spec, weights, metadata)


@dataclass(frozen=True)
class _Form:
    """How numbers are written: the 8-bit values, and the steps of weights that are on a grid."""

    quantization: Quantization
    activations: Mapping[str, Affine] = field(default_factory=dict)
    steps: Mapping[str, FloatArray] = field(default_factory=dict)

    @property
    def half(self) -> bool:
        """Whether arithmetic is in float16."""
        return self.quantization != "none"


def _quantized(
    graph: DetectorGraph, calibration: Calibration | None, *, weights_only: bool
) -> tuple[DetectorGraph, _Form]:
    if calibration is None and not weights_only:
        raise UsageError(
            "int8 needs the range of every tensor", "Give a folder of images with --calibration"
        )
    steps: Mapping[str, FloatArray] = {}
    activations: Mapping[str, Affine] = {}
    if calibration is not None:
        graph, steps = calibration.apply(graph), calibration.weight_scales
        graph = graph.with_pass(f"calibrate_{calibration.method}", images=calibration.images)
        activations = {} if weights_only else quantized_values(graph, calibration.widest)
    if weights_only:
        graph = graph.with_pass("quantize_weights", bits=8, activations="float16")
    return graph, _Form("int8", activations, steps)


def _program(graph: DetectorGraph, form: _Form, target: Any, *, nms: bool) -> Any:
    from coremltools.converters.mil import Builder as mb  # noqa: N813

    writer = Writer(mb, _weights(mb, form), np.float16 if form.half else np.float32)

    def detect(image: Var) -> Any:
        pixels = mb.cast(x=image, dtype="fp16", name="pixels") if form.half else image
        scaled = mb.mul(x=pixels, y=writer.floats(1 / 255), name="scaled")
        heads = _trace(writer, graph, scaled, form.activations)
        if nms:
            return decode_boxes(writer, heads, graph.metadata)
        names = graph.metadata.head_names
        return tuple(_head(mb, head, name) for head, name in zip(heads, names, strict=True))

    picture = mb.TensorSpec(shape=(1, 3, *graph.metadata.input_size))
    return mb.program(input_specs=[picture], opset_version=target)(detect)


def _head(mb: Any, head: Var, name: str) -> Var:
    head.op.name = head.name = f"{name}_logits"
    # A cast also where nothing changes: the output's name must be its own.
    return mb.cast(x=head, dtype="fp32", name=name)


def _trace(
    writer: Writer, graph: DetectorGraph, scaled: Var, activations: Mapping[str, Affine]
) -> list[Var]:
    """Write every node in order; the heads in the metadata's order, in the compute precision."""

    def keep(name: str, tensor: Var) -> None:
        if name in activations:
            tensor = _rounded(writer.mb, tensor, activations[name], f"value{len(tensors)}")
        tensors[name] = tensor

    tensors: dict[str, Var] = {}
    keep(INPUT_NAME, scaled)
    for number, node in enumerate(graph.model.graph):
        if is_part_of_silu(node):
            continue
        inputs = [tensors[str(v.name)] for v in node.inputs if v and v.name in tensors]
        name = f"{node.op_type.lower()}{number}"
        keep(str(node.outputs[0].name), LOWERINGS[node.op_type].emit(writer, node, inputs, name))
    return [tensors[name] for name in graph.metadata.head_names]


def _rounded(mb: Any, tensor: Var, form: Affine, name: str) -> Var:
    """8 bits and back: between two such pairs the device computes in 8 bits."""
    numbers = {"scale": form.scale, "zero_point": form.zero_point}
    stored = mb.quantize(input=tensor, output_dtype="uint8", name=f"{name}_q", **numbers)
    return mb.dequantize(input=stored, name=f"{name}_dq", **numbers)


def _weights(mb: Any, form: _Form) -> Callable[[str, FloatArray], Any]:
    if form.quantization == "none":
        return lambda _name, kernel: kernel
    if form.quantization == "fp16":
        return lambda _name, kernel: kernel.astype(np.float16)

    def compressed(name: str, kernel: FloatArray) -> Var:
        steps, scale = quantize_weights(kernel, form.steps.get(name))
        return mb.constexpr_affine_dequantize(
            quantized_data=steps, zero_point=np.int8(0), scale=scale, axis=np.int32(0)
        )

    return compressed


def _convert(ct: Any, program: Any, size: tuple[int, int], target: Any) -> tuple[Any, bytes]:
    """The model's message and its weight file."""
    image = ct.ImageType(name=IMAGE_NAME, shape=(1, 3, *size), color_layout=ct.colorlayout.RGB)
    with tempfile.TemporaryDirectory(prefix="tallylens-") as folder:
        model = ct.convert(
            program,
            convert_to="mlprogram",
            inputs=[image],
            minimum_deployment_target=target,
            compute_precision=ct.precision.FLOAT32,  # types are those of the program
            pass_pipeline=ct.PassPipeline.EMPTY,
            skip_model_load=True,
            package_dir=str(Path(folder) / "model.mlpackage"),
        )
        return model.get_spec(), Path(model.weights_dir, "weight.bin").read_bytes()
