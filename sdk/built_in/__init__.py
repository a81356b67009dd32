"""The models that come inside the package; `store` finds them by name."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

_FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class BuiltInModel:
    """A model file of the package.

    Attributes:
        name: what `--model` takes for it.
        path: the file.
        license: SPDX identifier of the license of its weights.
    """

    name: str
    path: Path
    license: str


DEMO = BuiltInModel("demo", _FOLDER / "tallylens-demo-int8.tflite", "Apache-2.0")
"""Detects the objects of the street that `tallylens demo` draws, and nothing else."""

DEMO_FLOAT = _FOLDER / "tallylens-demo.onnx"
"""The same model in float32, as input for `tallylens convert`."""

BUILT_IN = {model.name: model for model in (DEMO,)}
