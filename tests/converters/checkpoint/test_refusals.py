"""Files that cannot be converted: each is called by its name, and the remedy works.

PyTorch and the official repository, which saved or exported these files, are not installed for
tests. Where a remedy needs them, the test takes a file that they made: the nearest real thing.
"""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from tallylens import cli

pytestmark = [pytest.mark.realdata, pytest.mark.slow]

# By file: what it is called, the remedy's words, and sources that are what the remedy asks for.
REFUSED = {
    "refuse-state-dict.pt": (
        "only weights (a state_dict)",
        "Give the .pt file that YOLOv5 training wrote (weights/best.pt): it holds the whole model",
        ["wild/misc-numpy2.pt"],
    ),
    **dict.fromkeys(
        ("refuse-torchscript-named.pt", "refuse-torchscript.torchscript"),
        (
            "a TorchScript archive",
            "Give the .pt file that YOLOv5 training wrote (weights/best.pt), or its ONNX export",
            ["wild/misc-numpy2.pt", "wild/onnx-external-data.onnx"],
        ),
    ),
    "refuse-onnx-ort-dynamic-int8.onnx": (
        "quantized already (it holds DynamicQuantizeLinear)",
        "Give the float model that it was made from, or the .pt checkpoint",
        ["../models/yolov5n-export-opset17.onnx", "../models/yolov5n.pt"],
    ),
    "refuse-onnx-ort-static-qoperator.onnx": (
        "quantized already (it holds QuantizeLinear)",
        "Give the float model that it was made from, or the .pt checkpoint",
        ["v7-tiny-3class.pt"],
    ),
}


_PROGRESS = re.compile(r"[a-z ]+: \d+%")


def convert(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str]:
    """The status, and what was said besides the progress that a slow machine shows."""
    status = cli.main(["convert", *map(str, arguments), "--no-verify"])
    lines = capsys.readouterr().err.splitlines()
    return status, "\n".join(line for line in lines if not _PROGRESS.fullmatch(line))


@pytest.mark.parametrize("name", REFUSED)
def test_the_thing_is_named_and_the_remedy_works(
    name: str, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoints = data / "checkpoints"
    called, remedy, sources = REFUSED[name]
    for options in ([], ["--to", "onnx"], ["--to", "coreml", "--quantize", "fp16"]):
        status, error = convert(capsys, checkpoints / "wild" / name, "-o", tmp_path, *options)
        assert status == 3
        assert called in error
        assert remedy in error
        assert "Do not use" not in error
    assert not list(tmp_path.iterdir())
    for source in sources:
        out = tmp_path / Path(source).stem
        status, error = convert(capsys, checkpoints / source, "-o", out, "--to", "onnx")
        assert (status, error) == (0, "")
        assert len(list(out.glob("*.onnx"))) == 1


def test_a_quantized_model_is_converted_from_float_with_int8(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The second half of that remedy: --quantize int8, of the float model."""
    images = tmp_path / "images"
    images.mkdir()
    for photo in sorted((data / "coco" / "images" / "calib").iterdir())[:2]:
        shutil.copy(photo, images)
    source = data / "checkpoints" / "v7-tiny-3class.pt"
    options = ("--to", "coreml", "--quantize", "int8", "--calibration", images, "--imgsz", 64)
    status, error = convert(capsys, source, "-o", tmp_path / "out", *options)
    assert status == 0, error
    (report,) = (tmp_path / "out").glob("*.json")
    assert json.loads(report.read_text())["artefacts"][0]["quantization"] == "int8"


@pytest.mark.parametrize("missing", ["onnx-external-data.onnx"])
def test_weights_in_another_file_belong_beside_it(
    missing: str, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wild = data / "checkpoints" / "wild"
    alone = tmp_path / missing
    shutil.copy(wild / missing, alone)
    status, error = convert(capsys, alone, "--to", "onnx", "-o", tmp_path / "out")
    assert status == 3
    assert f"its weights are in {missing}.data, which is not beside it" in error
    assert "Copy that file into the same folder" in error
    shutil.copy(wild / f"{missing}.data", tmp_path)
    assert convert(capsys, alone, "--to", "onnx", "-o", tmp_path / "out") == (0, "")
