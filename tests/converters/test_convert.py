"""The pipeline from source to files, with the loader and TensorFlow left out where it can be."""

from __future__ import annotations

import errno
import json
import os
import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest

import tallylens.converters.convert as pipeline
from tallylens.converters.builder import GraphBuilder
from tallylens.converters.calibration import DEFAULT_IMAGES, evenly_spaced
from tallylens.converters.convert import convert
from tallylens.converters.coreml_program.evaluator import evaluate_program
from tallylens.converters.coreml_program.package import read_package
from tallylens.converters.emit import CoreMLOptions
from tallylens.converters.evaluation.acceptance import CHECKED_IMAGES, choose_images
from tallylens.converters.graph import DetectorGraph
from tallylens.converters.request import AcceptanceCheck
from tallylens.edge_runtime.errors import InputError, RejectedError, UnavailableError, UsageError
from tallylens.edge_runtime.metadata import ModelMetadata


def tiny_graph(size: tuple[int, int] = (32, 32)) -> DetectorGraph:
    random = np.random.default_rng(5)
    builder = GraphBuilder(size, batch=1)
    weight = random.normal(0, 0.2, (6, 3, 3, 3)).astype(np.float32)
    bias = np.zeros(6, np.float32)
    head = builder.conv("head", builder.input, weight, bias, strides=(2, 2), pads=(1, 1, 1, 1))
    metadata = ModelMetadata(("car",), size, (2,), (((4.0, 4.0),),), ("head2",), source_name="net")
    return builder.finish([head], metadata)


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that `load` is made to take for a tiny detector."""
    path = tmp_path / "net.pt"
    path.write_bytes(b"a checkpoint")
    monkeypatch.setattr(pipeline, "DEFAULT_SIZE", (32, 32))
    monkeypatch.setattr(
        pipeline, "load", lambda path, input_size, **_: tiny_graph(input_size or (32, 32))
    )
    return path


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    folder.mkdir()
    random = np.random.default_rng(2)
    for index in range(3):
        image = random.integers(0, 256, (20, 30, 3), np.uint8)
        (folder / f"{index}.png").write_bytes(cv2.imencode(".png", image)[1].tobytes())
    return folder


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


@pytest.mark.slow
def test_writes_the_files_of_the_contract(source: Path, tmp_path: Path) -> None:
    stages: list[str] = []
    out = tmp_path / "out"
    report = convert(
        source,
        out_dir=out,
        targets=("tflite", "onnx"),
        progress=lambda stage, fraction: stages.append(stage),
    )
    assert names(out) == ["net.conversion.json", "net.onnx", "net.tflite"]
    assert list(dict.fromkeys(stages)) == [
        "load",
        "write onnx",
        "write tflite",
        "verify onnx",
        "verify tflite",
        "done",
    ]
    assert report.path_of("onnx") == out / "net.onnx"
    assert report.warnings == ()
    document = json.loads((out / "net.conversion.json").read_text(encoding="utf-8"))
    assert [entry["path"] for entry in document["artefacts"]] == [
        "net.onnx",
        "net.tflite",
    ]
    assert [entry["size_bytes"] for entry in document["artefacts"]] == [
        (out / name).stat().st_size for name in ("net.onnx", "net.tflite")
    ]
    assert str(tmp_path) not in (out / "net.conversion.json").read_text(encoding="utf-8")


@pytest.mark.slow
def test_int8_is_calibrated_and_onnx_stays_float(
    source: Path, images: Path, tmp_path: Path
) -> None:
    stages: list[tuple[str, float | None]] = []
    report = convert(
        source,
        out_dir=tmp_path / "out",
        targets=("onnx", "tflite"),
        quantize="int8",
        calibration=images,
        progress=lambda stage, fraction: stages.append((stage, fraction)),
    )
    assert names(tmp_path / "out") == [
        "net-int8.conversion.json",
        "net-int8.onnx",
        "net-int8.tflite",
    ]
    assert [a.quantization for a in report.artifacts] == ["none", "int8"]
    few, plain, *_checked = report.warnings
    assert few.startswith("calibrated on 3 images only")
    assert plain == "net-int8.onnx is plain float32: there is no int8 form of onnx yet"
    fractions = [fraction for stage, fraction in stages if stage == "calibrate"]
    assert fractions == [0, pytest.approx(1 / 3), pytest.approx(2 / 3), 1]


def test_fp16_and_passes_and_size(source: Path, tmp_path: Path) -> None:
    report = convert(
        source,
        out_dir=tmp_path / "out",
        targets=("onnx",),
        quantize="fp16",
        input_size=(32, 64),
        passes=[lambda graph: graph.with_pass("nothing", effect=0)],
    )
    assert names(tmp_path / "out") == ["net-fp16.conversion.json", "net-fp16.onnx"]
    assert report.metadata.input_size == (32, 64)
    assert [record.name for record in report.metadata.passes] == ["nothing"]


@pytest.mark.slow
def test_core_ml_packages(source: Path, images: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    for _ in range(2):  # the second takes the place of the first
        report = convert(
            source,
            out_dir=out,
            targets=("coreml", "onnx"),
            quantize="int8",
            calibration=images,
        )
    assert names(out) == ["net-int8.conversion.json", "net-int8.mlpackage", "net-int8.onnx"]
    package = report.path_of("coreml")
    assert package == out / "net-int8.mlpackage"
    files = sorted(path for path in package.rglob("*") if path.is_file())
    entry = json.loads((out / "net-int8.conversion.json").read_text())["artefacts"][1]
    assert entry["size_bytes"] == sum(path.stat().st_size for path in files)
    assert (entry["target"], entry["quantization"]) == ("coreml", "int8")
    assert len(evaluate_program(package)(np.zeros((32, 32, 3), np.uint8))) == 1


@pytest.mark.slow
def test_weights_alone_need_no_images(source: Path, tmp_path: Path) -> None:
    convert(
        source,
        out_dir=tmp_path / "out",
        targets=("coreml",),
        quantize="int8",
        coreml=CoreMLOptions(weights_only=True),
    )
    package = read_package(tmp_path / "out" / "net-int8.mlpackage")
    assert package.detector.specificationVersion == 7
    assert [record.name for record in package.metadata.passes] == ["quantize_weights"]


@pytest.mark.parametrize("kind", ["a package of another tool", "a folder", "a file"])
def test_what_is_not_ours_is_never_replaced(source: Path, tmp_path: Path, kind: str) -> None:
    out, place = tmp_path / "out", tmp_path / "out" / "net.mlpackage"
    out.mkdir()
    if kind == "a file":
        place.write_bytes(b"dear")
    else:
        place.mkdir()
        (place / ("Manifest.json" if "package" in kind else "thesis.txt")).write_bytes(b"{}")
    with pytest.raises(InputError) as refusal:
        convert(source, out_dir=out, targets=("coreml",))
    assert str(refusal.value) == (
        f"{place}: a file or folder that tallylens did not write has this name. "
        "Move it away or choose another folder with -o."
    )
    assert names(out) == ["net.mlpackage"]


@pytest.mark.slow
def test_same_input_same_bytes(source: Path, tmp_path: Path) -> None:
    for folder in ("one", "two"):
        convert(source, out_dir=tmp_path / folder, targets=("onnx", "tflite"))
    for name in names(tmp_path / "one"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"targets": ("tensorrt",)},
            "unknown target 'tensorrt'. Choose from onnx, tflite, coreml.",
        ),
        ({"targets": ()}, "no target. Choose from onnx, tflite, coreml."),
        (
            {"targets": ("onnx",), "coreml": CoreMLOptions(nms=True)},
            "--nms and --weights-only are options of Core ML. Add --to coreml, or omit them.",
        ),
        (
            {"targets": ("coreml",), "coreml": CoreMLOptions(weights_only=True)},
            "--weights-only is a kind of int8. Add --quantize int8.",
        ),
        (
            {"check": AcceptanceCheck(min_agreement=1.5)},
            "--min-agreement is 1.5. Use a fraction from 0 to 1.",
        ),
        (
            {"check": AcceptanceCheck(labels=Path("labels"))},
            "--labels needs the images that they belong to. Add --images DIR.",
        ),
        (
            {"quantize": "int4"},
            "unknown quantization 'int4'. Choose from none, fp16, int8.",
        ),
        (
            {"quantize": "int8"},
            (
                "int8 needs images to find the range of every tensor. Give a folder of about 128 "
                "images from the camera's view with --calibration."
            ),
        ),
    ],
)
def test_wrong_calls_are_refused_before_loading(
    tmp_path: Path, arguments: dict[str, object], message: str
) -> None:
    with pytest.raises(UsageError) as refusal:
        convert(tmp_path / "absent.pt", out_dir=tmp_path, **arguments)  # type: ignore[arg-type]
    assert str(refusal.value) == message


def test_the_source_is_never_overwritten(source: Path, tmp_path: Path) -> None:
    onnx = tmp_path / "net.onnx"
    shutil.copy(source, onnx)
    with pytest.raises(UsageError) as refusal:
        convert(onnx, out_dir=tmp_path, targets=("onnx",))
    assert str(refusal.value) == (
        f"{onnx} is the source itself and would be overwritten. "
        "Choose another output folder with -o."
    )
    assert onnx.read_bytes() == b"a checkpoint"


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "full"), KeyboardInterrupt()])
def test_nothing_is_left_behind(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    def fail(descriptor: int) -> None:
        raise error

    monkeypatch.setattr(os, "fsync", fail)
    expected = UnavailableError if isinstance(error, OSError) else KeyboardInterrupt
    with pytest.raises(expected):
        convert(source, out_dir=tmp_path / "out", targets=("onnx",))
    assert names(tmp_path / "out") == []


def test_a_folder_without_images_is_refused_and_writes_nothing(
    source: Path, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no images found"):
        convert(
            source,
            out_dir=tmp_path / "out",
            quantize="int8",
            calibration=tmp_path / "empty",
        )
    assert names(tmp_path / "out") == []


# ---- verification --------------------------------------------------------------------------------


def scene(folder: Path, count: int = 12) -> Path:
    """Images with one red square each, and a damaged one."""
    folder.mkdir()
    for number in range(count):
        picture = np.zeros((32, 32, 3), np.uint8)
        x, y = 8 * (number % 4), 8 * (number // 4 % 4)
        picture[y : y + 8, x : x + 8, 2] = 255
        (folder / f"{number}.png").write_bytes(cv2.imencode(".png", picture)[1].tobytes())
    (folder / "damaged.png").write_bytes(b"no picture")
    return folder


def squares_graph(gain: float = 1.0) -> DetectorGraph:
    """Finds a red 8x8 square in a cell; a `gain` below a half makes it blind."""
    builder = GraphBuilder((32, 32), batch=1)
    weight = np.zeros((6, 3, 8, 8), np.float32)
    weight[4, 0], weight[4, 1] = gain * 16 / 64, -16 / 64
    bias = np.array([0, 0, 0, 0, -8, 4], np.float32)
    head = builder.conv("head", builder.input, weight, bias, strides=(8, 8))
    metadata = ModelMetadata(("car",), (32, 32), (8,), (((8.0, 8.0),),), ("head8",))
    return builder.finish([head], metadata)


@pytest.fixture
def detector(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "squares.pt"
    path.write_bytes(b"a checkpoint")
    monkeypatch.setattr(pipeline, "DEFAULT_SIZE", (32, 32))
    monkeypatch.setattr(pipeline, "load", lambda path, input_size, **_: squares_graph())
    return path


def test_what_was_written_is_compared_with_the_source(detector: Path, tmp_path: Path) -> None:
    pictures = scene(tmp_path / "pictures")
    report = convert(
        detector,
        out_dir=tmp_path / "out",
        targets=("onnx",),
        check=AcceptanceCheck(images=pictures),
    )
    found = report.artifacts[0].check
    assert found is not None
    assert found.images == 12
    assert (found.detections.reference, found.detections.agreement) == (12, 1.0)
    assert report.warnings == ()
    document = json.loads(report.report.read_text(encoding="utf-8"))
    assert document["artefacts"][0]["check"]["detections"]["agreement"] == 1.0
    assert "inference_ms" not in document["artefacts"][0]["check"]
    assert report.as_dict()["artefacts"][0]["check"]["inference_ms"] > 0


def test_what_sees_less_is_refused_and_kept_aside(detector: Path, tmp_path: Path) -> None:
    def blind(graph: DetectorGraph) -> DetectorGraph:
        return squares_graph(gain=0.1)

    pictures, out = scene(tmp_path / "pictures"), tmp_path / "out"
    run = partial(convert, detector, out_dir=out, targets=("onnx",), passes=[blind])
    with pytest.raises(RejectedError) as refusal:
        run(check=AcceptanceCheck(pictures, min_agreement=0.5))
    assert names(out) == ["squares.conversion.json.rejected", "squares.onnx.rejected"]
    assert (refusal.value.agreement, refusal.value.exit_status) == (0.0, 3)
    assert "squares.onnx: detection agreement with its source is 0.000" in str(refusal.value)
    # Without a limit the reader is warned, and may use it.
    report = run(check=AcceptanceCheck(pictures))
    assert report.path_of("onnx").exists()
    (few,) = report.warnings
    assert "on only 0.00 of the detections" in few
    # Without verification nobody knows.
    assert run(check=None).artifacts[0].check is None


def test_another_model_of_the_same_name_is_not_replaced(
    detector: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def trained(sha256: str) -> None:
        graph = squares_graph()
        metadata = replace(graph.metadata, source_sha256=sha256)
        monkeypatch.setattr(
            "tallylens.converters.convert.load",
            lambda *_, **__: DetectorGraph(graph.model, metadata),
        )

    run = partial(convert, detector, out_dir=tmp_path / "out", targets=("onnx",), check=None)
    trained("a" * 64)
    first = run()
    content = first.path_of("onnx").read_bytes()
    assert run().path_of("onnx").read_bytes() == content
    trained("b" * 64)
    with pytest.raises(UsageError, match="another model of the same name") as caught:
        run()
    assert first.path_of("onnx").read_bytes() == content
    # Both remedies work.
    assert run(overwrite=True).path_of("onnx").read_bytes() != content
    trained("a" * 64)
    with pytest.raises(UsageError, match="--overwrite"):
        run()
    report = tmp_path / "out" / f"{first.name}.conversion.json"
    assert f"delete {report.name}" in str(caught.value)
    report.unlink()
    assert run().path_of("onnx").read_bytes() == content


def test_few_detections_are_no_reason_to_refuse(detector: Path, tmp_path: Path) -> None:
    pictures = scene(tmp_path / "pictures", count=9)
    report = convert(
        detector,
        out_dir=tmp_path / "out",
        targets=("onnx",),
        passes=[lambda graph: squares_graph(gain=0.1)],
        check=AcceptanceCheck(pictures, min_agreement=1.0),
    )
    assert report.artifacts[0].check is not None
    assert report.artifacts[0].check.detections.agreement == 0


def test_pictures_that_cannot_be_read_verify_nothing(detector: Path, tmp_path: Path) -> None:
    pictures = scene(tmp_path / "pictures", count=0)
    with pytest.raises(InputError, match="none of its images can be read"):
        convert(
            detector, out_dir=tmp_path / "out", targets=("onnx",), check=AcceptanceCheck(pictures)
        )
    assert names(tmp_path / "out") == []


@pytest.mark.slow
def test_without_pictures_the_logits_are_compared_on_patterns(
    detector: Path, tmp_path: Path
) -> None:
    report = convert(detector, out_dir=tmp_path / "out", targets=("onnx", "tflite"))
    for artifact in report.artifacts:
        assert artifact.check is not None
        assert artifact.check.images == 4
        assert artifact.check.heads[0].max_abs < 1e-4
    assert report.warnings == ()


def test_pictures_beyond_the_calibration_are_preferred(tmp_path: Path) -> None:
    paths = [tmp_path / f"{number:03}.png" for number in range(DEFAULT_IMAGES + CHECKED_IMAGES)]
    for path in paths:
        path.touch()
    calibrated = set(evenly_spaced(paths, DEFAULT_IMAGES))
    assert set(choose_images(tmp_path)) == set(paths) - calibrated
    paths[0].unlink()
    assert len(choose_images(tmp_path)) == CHECKED_IMAGES


def test_another_size_than_the_usual_one_is_said(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "DEFAULT_SIZE", (640, 640))
    note = "made for 32x32 pixels, as the source was; --imgsz chooses another size"
    out = tmp_path / "out"
    assert note in convert(source, out_dir=out, targets=("onnx",), check=None).warnings
    chosen = convert(source, out_dir=out, targets=("onnx",), check=None, input_size=(32, 32))
    assert note not in chosen.warnings
