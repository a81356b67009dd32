"""The model that comes with tallylens: it knows the drawn street, and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tallylens.edge_runtime.core import CounterOptions

NAME = "demo"
"""What `--model` takes for it."""

LICENCE = "Apache-2.0"

CONFIDENCE = 0.6
"""Least of an object: the model is sure of what is there, and its false persons end below. See
benchmarks/demo_model/README.md."""


def demo_options() -> CounterOptions:
    """How the demo counts with it."""
    from tallylens.edge_runtime.core import CounterOptions

    return CounterOptions().with_confidence(CONFIDENCE)


def demo_model() -> Path:
    """The int8 .tflite inside the package."""
    return Path(__file__).with_name("tallylens-demo-int8.tflite")


def float_model() -> Path:
    """The same model as .onnx in float32, to be converted."""
    return Path(__file__).with_name("tallylens-demo.onnx")
