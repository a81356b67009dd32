"""`tallylens convert`: what is printed, refused and drawn."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tallylens.commands import convert

Run = Callable[..., Any]


@pytest.mark.slow
@pytest.mark.realdata
def test_a_checkpoint_with_its_page(tallylens: Run, data: Path, tmp_path: Path) -> None:
    page, out = tmp_path / "page.html", tmp_path / "out"
    checkpoint = data / "checkpoints" / "v7-tiny-3class.pt"
    arguments = (checkpoint, "--to", "onnx", "-o", out, "--report", page)
    outcome = tallylens("convert", *arguments)
    assert (outcome.status, outcome.err) == (0, "")
    file, found = outcome.out.splitlines()
    assert file.startswith(f"{out / 'v7-tiny-3class.onnx'}  ")
    assert found.startswith("  scores within ")
    assert "of those of v7-tiny-3class.pt" in found
    assert "v7-tiny-3class.onnx" in page.read_text(encoding="utf-8")
    document = json.loads(tallylens("convert", *arguments, "--json").out)
    assert document["artefacts"][0]["check"]["images"] == 4
    unverified = json.loads(tallylens("convert", *arguments[:5], "--no-verify", "--json").out)
    assert unverified["artefacts"][0]["check"] is None


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--report", "page.pdf"], "unsupported report format '.pdf' of page.pdf"),
        (
            ["--no-verify", "--min-agreement", "0.5"],
            "--no-verify excludes --images, --labels and --min-agreement",
        ),
        (["--min-agreement", "1.5"], "is not a fraction from 0 to 1"),
        (["--labels", "labels"], "--labels needs the images that they belong to"),
    ],
)
def test_contradictions_are_refused_before_any_work(
    tallylens: Run, arguments: list[str], problem: str
) -> None:
    outcome = tallylens("convert", "absent.pt", *arguments)
    assert outcome.status == 2
    assert problem in outcome.err


@pytest.mark.realdata
def test_images_left_out_are_told_in_a_line_each(
    tallylens: Run, data: Path, tmp_path: Path
) -> None:
    (tmp_path / "damaged.jpg").write_bytes(b"no picture")
    checkpoint = data / "checkpoints" / "v7-tiny-3class.pt"
    arguments = ("--quantize", "int8", "--calibration", tmp_path, "-o", tmp_path / "out")
    outcome = tallylens("convert", checkpoint, *arguments)
    assert outcome.status == 3
    left_out, refused = outcome.err.splitlines()
    assert left_out.startswith(f"tallylens: left out: {tmp_path / 'damaged.jpg'}: not an image")
    assert "none of its images can be read" in refused
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "options"),
    [
        (["--imgsz", "320"], {"imgsz": (320, 320)}),
        (["--imgsz", "320", "640"], {"imgsz": (320, 640)}),
        (["--imgsz", "384x640"], {"imgsz": (384, 640)}),
        (["--int8"], {"quantize": "int8"}),
        (["--half", "--include", "onnx", "coreml"], {"quantize": "fp16", "to": ["onnx", "coreml"]}),
    ],
)
def test_options_of_the_official_exporter(arguments: list[str], options: dict[str, object]) -> None:
    parser = argparse.ArgumentParser()
    convert.add_arguments(parser)
    parsed = vars(parser.parse_args(["net.pt", *arguments]))
    assert parsed | options == parsed


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["net.pt", "--imgsz", "320", "320", "3"], "one or two numbers; put the model before it"),
        (["--imgsz", "320", "net.pt"], "'320xnet.pt' is not a size"),
    ],
)
def test_sizes_that_are_none(tallylens: Run, arguments: list[str], problem: str) -> None:
    outcome = tallylens("convert", *arguments)
    assert outcome.status == 2
    assert problem in outcome.err
