"""Checkpoints as people have them: head outputs against goldens that PyTorch computed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from checkpoints import ALLOWED, difference, is_good, measure, run, source

from tallylens.converters.load import load
from tallylens.edge_runtime.errors import UnsupportedModelError

pytestmark = [pytest.mark.realdata, pytest.mark.slow]

CONVERTED = [
    *("lite-c", "v7-c3tr", "v7-contract-expand", "v7-convtranspose"),
    *("face-c3", "face-shufflev2", "lite-e", "lite-g", "lite-s", "misc-imgsz320", "misc-numpy2"),
    *("misc-py313-path", "pkg-prefix", "pkg-yolov5-pip", "plate-shufflev2", "v7-c3spp", "v7-c3x"),
    *("v7-crossconv", "v7-dwconv", "v7-ghost", "v7-ghostbottleneck", "v7-seg", "v7-yolov3"),
    *("v7-yolov3-spp", "v7-yolov3-tiny", "refuse-v1.0"),
    *("onnx-external-data", "onnx-ghost", "onnx-seg"),
]
REFUSED = {
    "refuse-state-dict.pt": "only weights",
    "refuse-torchscript-named.pt": "TorchScript",
    "refuse-torchscript.torchscript": "TorchScript",
    "refuse-onnx-ort-dynamic-int8.onnx": "quantized already",
    "refuse-onnx-ort-static-qoperator.onnx": "quantized already",
}
DROPPED = {
    **dict.fromkeys(("face", "plate"), "drop_landmarks"),
    **dict.fromkeys(("v7-seg", "onnx-seg"), "drop_masks"),
}
# Every kind of operator and of head; the others are of the same.
SAMPLE = ("lite-c", "v7-c3tr", "v7-contract-expand", "v7-convtranspose", "ultra-yolo11")


@pytest.fixture
def wild(data: Path) -> Path:
    return data / "checkpoints" / "wild"


@pytest.mark.parametrize("stem", CONVERTED)
def test_heads_are_those_of_pytorch(wild: Path, stem: str) -> None:
    golden = dict(np.load(wild / f"{stem}.golden.npz"))
    graph = load(source(stem, wild), input_size=golden["images"].shape[2:])
    heads = run(graph, "onnx", golden["images"])
    assert difference(heads, golden, stem) <= ALLOWED["onnx"]
    dropped = [one.name for one in graph.metadata.passes if one.name.startswith("drop_")]
    assert dropped == [name for start, name in DROPPED.items() if stem.startswith(start)]


@pytest.mark.parametrize("stem", SAMPLE)
@pytest.mark.parametrize("target", ["tflite", "coreml"])
def test_heads_in_other_targets(wild: Path, stem: str, target: str) -> None:
    """`python benchmarks/checkpoints.py` does this with every checkpoint."""
    assert is_good(measure(stem, [target], wild))


@pytest.mark.parametrize("name", REFUSED)
def test_refusals_name_the_thing(wild: Path, name: str) -> None:
    with pytest.raises(UnsupportedModelError, match=REFUSED[name]) as caught:
        load(wild / name)
    assert caught.value.exit_status == 3


@pytest.mark.parametrize(("stem", "side"), [("misc-imgsz320", 320), ("misc-numpy2", 640)])
def test_the_size_of_the_training_is_taken(wild: Path, stem: str, side: int) -> None:
    assert load(wild / f"{stem}.pt").metadata.input_size == (side, side)
    assert load(wild / f"{stem}.pt", input_size=(64, 96)).metadata.input_size == (64, 96)
