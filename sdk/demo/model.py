"""The model that comes with tallylens: it knows the drawn street, and nothing else."""

from __future__ import annotations

from pathlib import Path

NAME = "demo"
"""What `--model` takes for it."""

LICENCE = "Apache-2.0"


def demo_model() -> Path:
    """The int8 .tflite inside the package."""
    return Path(__file__).with_name("tallylens-demo-int8.tflite")


def float_model() -> Path:
    """The same model as .onnx in float32, to be converted."""
    return Path(__file__).with_name("tallylens-demo.onnx")
