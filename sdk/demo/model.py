"""The model that comes with tallylens: it knows the drawn street, and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tallylens.counter import Counter
    from tallylens.demo.scene import Scene

NAME = "demo"
"""What `--model` takes for it."""

LICENCE = "Apache-2.0"

CONFIDENCE, IOU = 0.6, 0.3
"""What the demo takes for an object: the model is sure of what is there, its false boxes are less
so, or lie between two true ones. See benchmarks/demo_model/README.md."""


def demo_counter(scene: Scene) -> Counter:
    """Counts `scene` as the demo does."""
    from tallylens.counter import Counter
    from tallylens.edge_runtime.core import CounterOptions

    return Counter(
        demo_model(),
        lines=[scene.line],
        zones=[scene.zone],
        options=CounterOptions().with_confidence(CONFIDENCE),
        iou=IOU,
    )


def demo_model() -> Path:
    """The int8 .tflite inside the package."""
    return Path(__file__).with_name("tallylens-demo-int8.tflite")


def float_model() -> Path:
    """The same model as .onnx in float32, to be converted."""
    return Path(__file__).with_name("tallylens-demo.onnx")
