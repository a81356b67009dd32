"""Every figure of the main job: exactness, accuracy, counts, speed, start-up.

    python benchmarks/main_job.py [--json FILE] [--only heads,bus,map,counts,speed,start]

Needs the folder of real models, images and videos (TALLYLENS_DATA) and tallylens[convert]. Prints
one table a part and, with --json, writes all of it. It measures and never fails on a time.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from tallylens import Counter, Line
from tallylens.converters.convert import convert
from tallylens.converters.evaluation.evaluate import evaluate
from tallylens.edge_runtime.core import DecoderOptions
from tallylens.edge_runtime.counting.totals import Totals
from tallylens.edge_runtime.detection.detector import Detector
from tallylens.edge_runtime.engines import open_engine
from tallylens.edge_runtime.sources.images import read_image
from tallylens.edge_runtime.types import Detections, HeadSpec, Image

DATA = Path(os.environ.get("TALLYLENS_DATA", Path(__file__).parents[2] / "shared" / "data"))
YOLOV5N = DATA / "models" / "yolov5n.pt"
EXPORT = DATA / "models" / "yolov5n-export-opset17.onnx"
TINY = ("leaky-tiny-2class", "p6-tiny-4class", "v5-focus-spp-tiny", "v7-tiny-3class")
Row = dict[str, Any]


def raw_heads(model: Path, pixels: np.ndarray) -> tuple[list[HeadSpec], list[np.ndarray]]:
    """The heads of one inference as (1, anchors, h, w, values), from (1, 3, h, w) float pixels."""
    with open_engine(model) as engine:
        layout = engine.metadata.layout
        engine.input[:] = pixels if layout == "NCHW" else pixels.transpose(0, 2, 3, 1)
        found = []
        for head, raw in zip(engine.heads, engine.run(), strict=True):
            shaped = raw if head.layout == "NCHW" else raw.transpose(0, 3, 1, 2)
            na = len(head.anchors)
            grid = shaped.reshape(1, na, -1, head.height, head.width)
            found.append(grid.transpose(0, 1, 3, 4, 2).copy())
        return engine.heads, found


def heads(work: Path) -> Iterator[Row]:
    """Maximum difference of any raw head output from PyTorch's."""
    sources = [(DATA / "checkpoints" / f"{name}.pt", f"{name}.golden.npz") for name in TINY]
    for source, golden_name in sources:
        golden = np.load(source.parent / golden_name)
        yield from _heads_row(work, source, golden["images"], golden)
    golden = np.load(DATA / "models" / "yolov5n-bus.golden.npz")
    pixels = golden["images_u8"].transpose(2, 0, 1)[None].astype(np.float32) / np.float32(255)
    for source in (YOLOV5N, EXPORT):
        yield from _heads_row(work, source, pixels, golden)


def _heads_row(work: Path, source: Path, pixels: np.ndarray, golden: Any) -> Iterator[Row]:
    out = work / "heads" / source.name
    size = (pixels.shape[2], pixels.shape[3])
    report = convert(source, out_dir=out, targets=["onnx", "tflite"], input_size=size)
    row: Row = {"source": source.name}
    for target in ("onnx", "tflite"):
        _, found = raw_heads(report.path_of(target), pixels)
        row[target] = max(
            float(np.abs(array - golden[f"head{i}"]).max()) for i, array in enumerate(found)
        )
    yield row


def bus(work: Path) -> Iterator[Row]:
    """The sample image: minimum IoU and maximum score difference over the golden detections."""

    golden = np.load(DATA / "models" / "yolov5n-bus.golden.npz")["detections"]
    image = read_image(DATA / "models" / "bus.jpg")
    for source in (YOLOV5N, EXPORT):
        for target in ("onnx", "tflite"):
            model = work / "heads" / source.name / f"{source.stem}.{target}"
            if not model.exists():
                convert(source, out_dir=model.parent, targets=["onnx", "tflite"])
            options = DecoderOptions(confidence=0.25, iou=0.45, cross_class_iou=1)
            with open_engine(model) as engine:
                found = Detector(engine, options).detect(image)
            same = len(found) == len(golden) and bool((found.class_id == golden[:, 5]).all())
            yield {
                "model": f"{source.name} -> {target}",
                "detections": len(found),
                "classes agree": same,
                "minimum IoU": _least_iou(found.xyxy, golden[:, :4]) if same else None,
                "score differs by": float(np.abs(found.confidence - golden[:, 4]).max())
                if same
                else None,
            }


def _least_iou(a: np.ndarray, b: np.ndarray) -> float:
    low, high = np.maximum(a[:, :2], b[:, :2]), np.minimum(a[:, 2:], b[:, 2:])
    common = np.prod(np.clip(high - low, 0, None), axis=1)
    areas = [np.prod(box[:, 2:] - box[:, :2], axis=1) for box in (a, b)]
    return float((common / (areas[0] + areas[1] - common)).min())


def models(work: Path, size: int = 640) -> dict[str, Path]:
    """The three forms of yolov5n at one size, converted once, the seconds that took on stderr."""
    made: dict[str, Path] = {}
    calibration = DATA / "coco" / "images" / "calib"
    for name, target, quantize in (
        ("float ONNX", "onnx", "none"),
        ("float TFLite", "tflite", "none"),
        ("int8 TFLite", "tflite", "int8"),
    ):
        folder = work / f"models-{size}"
        path = folder / f"yolov5n{'-int8' if quantize == 'int8' else ''}.{target}"
        if not path.exists():
            command = [sys.executable, "-m", "tallylens", "convert", str(YOLOV5N), "-o"]
            command += [str(folder), "--to", target, "--quantize", quantize]
            command += ["--imgsz", str(size)]
            command += ["--calibration", str(calibration)] if quantize == "int8" else []
            start = time.perf_counter()
            subprocess.run(command, check=True, capture_output=True)
            print(f"{name} converted in {time.perf_counter() - start:.1f} s", file=sys.stderr)
        made[name] = path
    return made


def accuracy(work: Path) -> Iterator[Row]:
    """mAP on the labeled validation images."""
    options = DecoderOptions(confidence=0.001, iou=0.6, cross_class_iou=1, multi_label=True)
    coco = DATA / "coco"
    for name, path in models(work).items():
        with open_engine(path, num_threads=2) as engine:
            detect: Callable[[Image], Detections] = Detector(engine, options).detect
            result = evaluate(detect, coco / "images" / "val", coco / "labels" / "val")
        yield {"model": name, "mAP@0.5:0.95": result.map50_95, "mAP@0.5": result.map50}


STREET = {"lines": [Line(0, 0.6, 1, 0.6)], "classes": ["car", "truck", "bus"]}
CARS = {"lines": [Line(0, 0.5, 1, 0.5)], "any_class": True}
SCENES: dict[str, dict[str, Any]] = {
    "street.mp4": STREET,
    "car-detection.mp4": CARS,
    "one-by-one-person-detection.mp4": {},
}
# Every frame, every second, every third; and every frame with timestamps of half the speed.
WAYS = {"all": (1, 1), "2nd": (2, 1), "3rd": (3, 1), "half speed": (1, 2)}


def truths() -> dict[str, dict[str, Any]]:
    """Counts of each video by eye, in the columns of `counts`."""
    truth = json.loads((DATA / "counts.json").read_text())
    street, cars = truth["street.mp4"], truth["car-detection.mp4"]["any_class"]
    persons = truth["one-by-one-person-detection.mp4"]["unique"]
    return {
        # The pickup may be called a car or a truck.
        "street.mp4": {"in": sum(street["in"].values()), "out": sum(street["out"].values())},
        "car-detection.mp4": {"in": cars["in"], "out": cars["out"]},
        "one-by-one-person-detection.mp4": {"persons": persons["person"]},
    }


def counts(work: Path) -> Iterator[Row]:
    """Counts of the three videos, float and int8, 640 and 320, at four rates, beside the truth."""
    for size in (640, 320):
        for name, path in models(work, size).items():
            for video in SCENES:
                yield from _counts_rows(f"{name} {size}", path, video)


def _counts_rows(model: str, path: Path, video: str) -> Iterator[Row]:
    places, truth = SCENES[video], truths()[video]
    with Counter(path, any_class=bool(places.get("any_class"))) as counter:
        seen = [
            (one.frame.timestamp_ns, one.detections)
            for one in counter.watch(DATA / "videos" / video)
        ]
        names, size = counter.totals.class_names, counter.totals.frame_size
    for way, (step, slow) in WAYS.items():
        totals = Totals(names, size, **places)
        for timestamp_ns, detections in seen[::step]:
            totals.add(timestamp_ns * slow, detections)
        found = {
            "in": sum(sum(line.crossed_in.values()) for line in totals.lines()),
            "out": sum(sum(line.crossed_out.values()) for line in totals.lines()),
            "persons": totals.unique().get("person", 0),
        }
        yield {
            "model": model,
            "video": video,
            "frames": way,
            **{what: found[what] if what in truth else "" for what in found},
            "right": "yes" if all(found[what] == truth[what] for what in truth) else "NO",
        }


def speed(work: Path) -> Iterator[Row]:
    """`tallylens benchmark` on street.mp4."""
    street = str(DATA / "videos" / "street.mp4")
    for name, path in models(work).items():
        command = [sys.executable, "-m", "tallylens", "benchmark", "--json"]
        command += ["--model", str(path), "--source", street]
        document = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
        yield {"model": name, **document["ms"], **document["fps"]}


def start(_: Path) -> Iterator[Row]:
    """Seconds of a fresh process, less those of an empty one; the minimum of ten."""

    def minimum(*arguments: str) -> float:
        times = []
        for _ in range(10):
            begin = time.perf_counter()
            subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
            times.append(time.perf_counter() - begin)
        return min(times)

    empty = minimum("-c", "")
    yield {"what": "python -c ''", "seconds": empty}
    yield {"what": "import tallylens", "seconds": minimum("-c", "import tallylens") - empty}
    yield {"what": "tallylens --help, all of it", "seconds": minimum("-m", "tallylens", "--help")}


PARTS: dict[str, Callable[[Path], Iterator[Row]]] = {
    "heads": heads,
    "bus": bus,
    "map": accuracy,
    "counts": counts,
    "speed": speed,
    "start": start,
}


def show(title: str, rows: list[Row]) -> None:
    """One table."""
    table = Table(title=title, title_justify="left")
    for column in rows[0]:
        table.add_column(column)
    for row in rows:
        table.add_row(*(f"{v:.3g}" if isinstance(v, float) else str(v) for v in row.values()))
    Console(width=140).print(table)


def main() -> None:
    """Measure the parts asked for."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--only", default=",".join(PARTS))
    parser.add_argument("--work", type=Path, help="keep what is converted here")
    options = parser.parse_args()
    results: dict[str, list[Row]] = {}
    with tempfile.TemporaryDirectory() as temporary:
        work = options.work or Path(temporary)
        for name in options.only.split(","):
            results[name] = list(PARTS[name](work))
            show(f"{name}: {(PARTS[name].__doc__ or '').splitlines()[0]}", results[name])
    if options.json:
        options.json.write_text(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
