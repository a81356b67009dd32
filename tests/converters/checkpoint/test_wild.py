"""Checkpoints as people have them: head outputs against goldens that PyTorch computed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest

from tallylens.converters.coreml_program.evaluator import Evaluator
from tallylens.converters.coreml_program.package import read_package
from tallylens.converters.emit import EMITTERS, CoreMLOptions, EmitOptions
from tallylens.converters.emit.onnx import emit_onnx
from tallylens.converters.load import load
from tallylens.edge_runtime.engines import open_engine
from tallylens.edge_runtime.errors import UnsupportedModelError
from tallylens.edge_runtime.files import write_all

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
TOLERANCE = {"onnx": 2e-4, "tflite": 2e-3, "coreml": 0.05}
# Every kind of operator and of head; the others are of the same.
SAMPLE = ("lite-c", "v7-c3tr", "v7-contract-expand", "v7-convtranspose", "ultra-yolo11")


@pytest.fixture
def wild(data: Path) -> Path:
    return data / "checkpoints" / "wild"


def source(wild: Path, stem: str) -> Path:
    return wild / f"{stem}.onnx" if stem.startswith("onnx-") else wild / f"{stem}.pt"


@pytest.mark.parametrize("stem", CONVERTED)
def test_heads_are_those_of_pytorch(wild: Path, stem: str) -> None:
    golden = np.load(wild / f"{stem}.golden.npz")
    images = golden["images"]
    graph = load(source(wild, stem), input_size=images.shape[2:])
    heads = ort.InferenceSession(emit_onnx(graph)).run(None, {"images": images})
    wanted = [golden[f"head{number}"] for number in range(len(heads))]
    if stem == "refuse-v1.0":  # its Detect lists the coarse head first
        wanted.reverse()
    for found, head in zip(heads, wanted, strict=True):
        assert (
            np.abs(head.transpose(0, 1, 4, 2, 3).reshape(found.shape) - found).max()
            <= TOLERANCE["onnx"]
        )
    dropped = [one.name for one in graph.metadata.passes if one.name.startswith("drop_")]
    assert dropped == [name for start, name in DROPPED.items() if stem.startswith(start)]


@pytest.mark.parametrize("stem", SAMPLE)
@pytest.mark.parametrize("target", ["tflite", "coreml"])
def test_heads_in_other_targets(wild: Path, tmp_path: Path, stem: str, target: str) -> None:
    golden = np.load(wild / f"{stem}.golden.npz")
    images = golden["images"]
    graph = load(source(wild, stem), input_size=images.shape[2:])
    content = EMITTERS[target].emit(graph, EmitOptions("none", None, CoreMLOptions()))
    path = tmp_path / f"model.{EMITTERS[target].extension}"
    write_all({path: content})
    if target == "tflite":
        engine = open_engine(path)
        engine.input[...] = images.transpose(0, 2, 3, 1)
        heads = [np.array(head).transpose(0, 3, 1, 2) for head in engine.run()]
    else:
        heads = Evaluator(read_package(path)).run(images * np.float32(255))
    for number, found in enumerate(heads):
        wanted = golden[f"head{number}"]
        if wanted.ndim == 5:
            wanted = wanted.transpose(0, 1, 4, 2, 3).reshape(found.shape)
        assert np.abs(wanted - found).max() <= TOLERANCE[target]


@pytest.mark.parametrize("name", REFUSED)
def test_refusals_name_the_thing(wild: Path, name: str) -> None:
    with pytest.raises(UnsupportedModelError, match=REFUSED[name]) as caught:
        load(wild / name)
    assert caught.value.exit_status == 3


@pytest.mark.parametrize(("stem", "side"), [("misc-imgsz320", 320), ("misc-numpy2", 640)])
def test_the_size_of_the_training_is_taken(wild: Path, stem: str, side: int) -> None:
    assert load(wild / f"{stem}.pt").metadata.input_size == (side, side)
    assert load(wild / f"{stem}.pt", input_size=(64, 96)).metadata.input_size == (64, 96)
