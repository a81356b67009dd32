"""Models cut to what is needed: int8, classes, a budget, one camera, pruning with recovery.

    python benchmarks/cut.py [--only int8,classes,budget,camera,prune] [--budget 0.5]
                             [--recover MINUTES] [--runs N] [--json FILE]

Needs the folder of real models, images and videos (TALLYLENS_DATA) and tallylens[convert]. Chooses
on coco/images/calib, or on the first half of street.mp4, without labels; measures on
coco/images/val and on the second half. It prints a table per part and never fails on a figure.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
from convert import CALIBRATION, DATA, IMAGES, LABELS, YOLOV5N, latencies, show
from prune import mean_precision
from prune import rows as pruned

from tallylens.converters.artifacts import ConversionReport
from tallylens.converters.budget.front import Budget, agreement
from tallylens.converters.budget.search import beside_smaller_input
from tallylens.converters.calibration import list_images
from tallylens.converters.convert import convert
from tallylens.converters.evaluation.evaluate import evaluate
from tallylens.converters.evaluation.open_model import open_model
from tallylens.converters.evaluation.verify import DETECTED, SCORED
from tallylens.converters.load import load
from tallylens.converters.prune.cost import multiply_adds
from tallylens.edge_runtime.sources.images import read_image
from tallylens.edge_runtime.sources.open import open_source
from tallylens.edge_runtime.types import Image

STREET = DATA / "videos" / "street.mp4"
CLASSES = ("car", "truck", "bus", "person")
Row = dict[str, Any]


def precision(model: Path) -> float:
    """mAP@0.5:0.95 of any model file on the labeled images."""
    tested = open_model(model, (SCORED,), num_threads=2)
    return evaluate(lambda image: tested.predict(image).detections[0], IMAGES, LABELS).map50_95


def int8(_options: argparse.Namespace, work: Path) -> Iterator[Row]:
    """int8 TFLite and Core ML W8A8, both files run: mAP kept, and agreement without labels."""
    start = time.perf_counter()
    report = convert(
        YOLOV5N,
        out_dir=work,
        targets=("tflite", "coreml"),
        quantize="int8",
        calibration=CALIBRATION,
        check=None,
    )
    seconds = time.perf_counter() - start
    images = [read_image(path) for path in list_images(IMAGES)]
    reference = _detections(YOLOV5N, images)
    whole = mean_precision(load(YOLOV5N))
    yield {"model": "float", "mAP@0.5:0.95": whole, "kept": 1.0, "seconds": seconds}
    for target in ("tflite", "coreml"):
        path = report.path_of(target)
        found = precision(path)
        yield {
            "model": f"int8 {target}",
            "mAP@0.5:0.95": found,
            "kept": found / whole,
            "agreement": agreement(_detections(path, images), reference),
            "MB": _megabytes(path),
        }


def classes(options: argparse.Namespace, work: Path) -> Iterator[Row]:
    """MACs, size and time of one inference with all classes and with four of them."""
    reports: dict[str, ConversionReport] = {}
    for name, kept in (("80 classes", ()), ("4 classes", CLASSES)):
        reports[name] = convert(
            YOLOV5N,
            out_dir=work / name,
            targets=("tflite",),
            quantize="int8",
            calibration=CALIBRATION,
            classes=kept,
            check=None,
        )
    speed = latencies({name: one.path_of("tflite") for name, one in reports.items()}, options.runs)
    for name, one in reports.items():
        path, macs = one.path_of("tflite"), one.multiply_adds
        yield {"model": name, "GMACs": macs / 1e9, "MB": path.stat().st_size / 1e6, **speed[name]}


def budget(options: argparse.Namespace, work: Path) -> Iterator[Row]:
    """The whole command on images of everything, and the mAP of what it chose."""
    start = time.perf_counter()
    report = _cut(options, CALIBRATION, work)
    seconds = time.perf_counter() - start
    whole = mean_precision(load(YOLOV5N))
    found = precision(report.path_of("onnx"))
    yield {
        **_chosen(report),
        "mAP@0.5:0.95": found,
        "kept": found / whole,
        "seconds": seconds,
    }


def camera(options: argparse.Namespace, work: Path) -> Iterator[Row]:
    """A model for street.mp4 from its first half; its counts, and its agreement on the second."""
    with open_source(STREET) as source:
        frames = [frame.image.copy() for frame in source]
    half = len(frames) // 2
    folder = work / "frames"
    folder.mkdir(parents=True)
    for number, image in enumerate(frames[:half]):
        cv2.imwrite(str(folder / f"{number:06}.png"), image)
    chosen = _cut(options, folder, work)
    square = convert(
        YOLOV5N, out_dir=work / "448", targets=("onnx",), input_size=(448, 448), check=None
    )
    reference = _detections(YOLOV5N, frames[half:])
    for cut, report in ((_chosen(chosen), chosen), ({"chosen": "448x448"}, square)):
        path = report.path_of("onnx")
        yield {
            **cut,
            "share": report.multiply_adds / multiply_adds(load(YOLOV5N)),
            "agreement, second half": agreement(_detections(path, frames[half:]), reference),
            "crossed": _crossings(path),
            "true": json.loads((DATA / "counts.json").read_text())["street.mp4"]["in"],
        }


def prune(options: argparse.Namespace, _work: Path) -> Iterator[Row]:
    """20% fewer MACs with recovery, and the smaller input that convert reports beside it."""
    made = list(pruned(0.2, options.recover))
    yield from (row for row, _ in made)
    graph = made[-1][1]
    beside = beside_smaller_input(lambda size: load(YOLOV5N, input_size=size), graph, CALIBRATION)
    yield {"model": f"reported beside it: {beside}"}


def _cut(options: argparse.Namespace, images: Path, work: Path) -> ConversionReport:
    return convert(
        YOLOV5N,
        out_dir=work / "chosen",
        targets=("onnx",),
        calibration=images,
        budget=Budget.parse(options.budget),
    )


def _chosen(report: ConversionReport) -> Row:
    assert report.front is not None
    chosen = report.front.chosen
    return {"chosen": chosen.title, "share": chosen.share, "agreement": chosen.held_back}


def _megabytes(path: Path) -> float:
    """Of a file, or of all files of a package."""
    files = path.rglob("*") if path.is_dir() else (path,)
    return sum(one.stat().st_size for one in files if one.is_file()) / 1e6


def _detections(model: Path, frames: list[Image]) -> list[Any]:
    tested = open_model(model, (DETECTED,), num_threads=2)
    return [tested.predict(frame).detections[0] for frame in frames]


def _crossings(model: Path) -> str:
    """The crossings that `tallylens count` finds in the whole video, as JSON."""
    truth = json.loads((DATA / "counts.json").read_text())["street.mp4"]
    line = ",".join(str(number) for number in truth["line"])
    asked = ["--line", line, "--classes", ",".join(truth["classes"]), "--json"]
    command = [sys.executable, "-m", "tallylens", "count", str(STREET), "--model", str(model)]
    done = subprocess.run([*command, *asked], capture_output=True, check=True)
    return json.dumps(json.loads(done.stdout)["lines"])


PARTS: dict[str, Callable[[argparse.Namespace, Path], Iterator[Row]]] = {
    "int8": int8,
    "classes": classes,
    "budget": budget,
    "camera": camera,
    "prune": prune,
}


def main() -> None:
    """Measure, print, and write where asked to."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--only", default=",".join(PARTS), help="parts, with commas between")
    parser.add_argument("--budget", default="0.5", help="as of tallylens convert")
    parser.add_argument("--recover", type=float, default=20.0, metavar="MINUTES")
    parser.add_argument("--runs", type=int, default=60, help="inferences a model")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    found: dict[str, list[Row]] = {}
    with tempfile.TemporaryDirectory() as work:
        for part in options.only.split(","):
            found[part] = list(PARTS[part](options, Path(work) / part))
            show(part, found[part])
            if options.json:
                options.json.write_text(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
