"""Packages as engines: the evaluator, and Core ML itself in the form that coremltools gives it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tallylens.converters.coreml_program.coremltools import quiet_coremltools
from tallylens.converters.coreml_program.engine import CoreMLDeviceEngine, CoreMLEngine
from tallylens.converters.coreml_program.evaluator import evaluate_program
from tallylens.edge_runtime.errors import ModelError

pytestmark = pytest.mark.slow

Files = Mapping[str, bytes]
Write = Callable[[Files], Path]


def test_engine_runs_what_is_in_its_input(files: Files, write: Write) -> None:
    package = write(files)
    picture = np.random.default_rng(1).integers(0, 256, (16, 32, 3), np.uint8)
    with CoreMLEngine(package) as engine:
        engine.input[...] = picture.transpose(2, 0, 1)
        (head,) = engine.run()
        (spec,) = engine.heads
    np.testing.assert_array_equal(head, evaluate_program(package)(picture)[0])
    assert head.flags.c_contiguous
    assert (spec.name, spec.dtype, spec.layout, spec.width, spec.height, spec.stride) == (
        ("head2", "float32", "NCHW", 16, 8, 2)
    )


class Picture:
    """A stand-in for Pillow's image of an array."""

    mode = "RGB"

    def __init__(self, pixels: Any) -> None:
        assert (pixels.dtype, pixels.shape[2]) == (np.uint8, 3)
        self.pixels, self.size = pixels, (pixels.shape[1], pixels.shape[0])


class DeviceModel:
    """A stand-in for coremltools' MLModel on a Mac."""

    def __init__(self, path: str) -> None:
        self.path = path

    def predict(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        (picture,) = inputs.values()
        assert (list(inputs), picture.size, picture.mode) == (["image"], (32, 16), "RGB")
        (head,) = evaluate_program(Path(self.path))(picture.pixels)
        return {"head2": head.astype(np.float64)}


class BrokenModel(DeviceModel):
    def predict(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        raise RuntimeError("You will not be able to run predict() on this Core ML model.")


@pytest.fixture
def device(monkeypatch: pytest.MonkeyPatch) -> Callable[[type], None]:
    pillow = SimpleNamespace(Image=SimpleNamespace(fromarray=Picture))
    monkeypatch.setitem(sys.modules, "PIL", pillow)

    def put(model: type) -> None:
        with quiet_coremltools() as coremltools:
            monkeypatch.setattr(coremltools.models, "MLModel", model)

    return put


def test_device_engine_gives_the_device_heads(
    files: Files, write: Write, device: Callable[[type], None]
) -> None:
    device(DeviceModel)
    package = write(files)
    picture = np.random.default_rng(1).integers(0, 256, (16, 32, 3), np.uint8)
    engine = CoreMLDeviceEngine(package)
    engine.input[...] = picture.transpose(2, 0, 1)
    (head,) = engine.run()
    assert (engine.name, head.dtype) == ("coreml-device", np.dtype(np.float32))
    np.testing.assert_array_equal(head, evaluate_program(package)(picture)[0])


def test_a_device_that_fails_says_why(
    files: Files, write: Write, device: Callable[[type], None]
) -> None:
    device(BrokenModel)
    with pytest.raises(ModelError, match=r"it fails while it runs \(You will not be able"):
        CoreMLDeviceEngine(write(files)).run()
