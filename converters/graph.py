"""The detector graph: what importers return, passes change and emitters write."""

from __future__ import annotations

from dataclasses import dataclass, replace

import onnx_ir as ir

from ..edge_runtime.metadata import ModelMetadata

INPUT_NAME = "images"
OPSET = 17


@dataclass(frozen=True)
class DetectorGraph:
    """A detector that ends in raw head outputs (logits).

    `model`: opset 17, one input `images` (batch, 3, height, width) float32 in 0..1 RGB, outputs
    named by `metadata.head_names` (batch, na * (5 + nc), h, w) float32 before the sigmoid, in the
    order of rising stride. Weights are float32 initializers.
    `metadata`: class names, anchors, strides, input size, provenance.
    """

    model: ir.Model
    metadata: ModelMetadata

    def with_pass(self, name: str, **effect: float | int | str) -> DetectorGraph:
        """The same graph with one more pass recorded in its metadata."""
        return replace(self, metadata=self.metadata.with_pass(name, **effect))
