"""What converting keeps and costs, beside the official exporter's int8 file.

    python benchmarks/convert.py [--json FILE] [--runs N] [--work FOLDER]

Needs the folder of real models and images (TALLYLENS_DATA) and tallylens[convert]. Calibrates on
coco/images/calib, measures on coco/images/val, prints a table and, with --json, writes all of it.
It measures and never fails on a figure.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import statistics
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from tallylens.converters.convert import convert
from tallylens.converters.evaluate import evaluate
from tallylens.edge_runtime.core import DecoderOptions
from tallylens.edge_runtime.detector import Detector
from tallylens.edge_runtime.engines import open_engine
from tallylens.edge_runtime.engines.litert import find_interpreter

DATA = Path(os.environ.get("TALLYLENS_DATA", Path(__file__).parents[2] / "shared" / "data"))
YOLOV5N = DATA / "models" / "yolov5n.pt"
PEER = DATA / "peers" / "yolov5-export-int8.tflite"
COCO = DATA / "coco"
AS_COCO_DOES = DecoderOptions(confidence=0.001, iou=0.6, cross_class_iou=1, multi_label=True)
Row = dict[str, Any]


def timed_conversion(out: Path, quantize: str) -> tuple[Path, Row]:
    """The TFLite file and the seconds of every stage, TensorFlow's start included."""
    marks: list[tuple[str, float]] = []

    def mark(stage: str, _done: float | None) -> None:
        if not marks or marks[-1][0] != stage:
            marks.append((stage, time.perf_counter()))

    report = convert(
        YOLOV5N,
        out_dir=out,
        targets=("tflite",),
        quantize=quantize,  # type: ignore[arg-type]
        calibration=COCO / "images" / "calib" if quantize == "int8" else None,
        progress=mark,
    )
    seconds = {stage: end - start for (stage, start), (_, end) in itertools.pairwise(marks)}
    return report.path_of("tflite"), seconds | {"all": marks[-1][1] - marks[0][1]}


def precision(model: Path) -> Row:
    """mAP on the validation images."""
    with open_engine(model, num_threads=2) as engine:
        detect = Detector(engine, AS_COCO_DOES).detect
        result = evaluate(detect, COCO / "images" / "val", COCO / "labels" / "val")
    return {"mAP@0.5:0.95": result.map50_95, "mAP@0.5": result.map50}


def latencies(models: dict[str, Path], runs: int) -> dict[str, Row]:
    """Milliseconds of one thread; the models take turns, so that all meet the same disturbances."""
    interpreters = {}
    for name, path in models.items():
        # The peer's file does not describe itself, so that the engine would refuse it.
        interpreter = find_interpreter().Interpreter(model_path=str(path), num_threads=1)
        interpreter.allocate_tensors()
        entry = interpreter.get_input_details()[0]
        noise = np.random.default_rng(0).integers(0, 256, entry["shape"])
        interpreter.set_tensor(entry["index"], noise.astype(entry["dtype"]))
        interpreter.invoke()
        interpreters[name] = interpreter
    times: dict[str, list[float]] = {name: [] for name in models}
    for _ in range(runs):
        for name, interpreter in interpreters.items():
            start = time.perf_counter()
            interpreter.invoke()
            times[name].append(1e3 * (time.perf_counter() - start))
    return {
        name: {"median ms": statistics.median(found), "least ms": min(found)}
        for name, found in times.items()
    }


def measure(work: Path, runs: int) -> list[Row]:
    """One row a model."""
    models = {"official int8": PEER}
    seconds: dict[str, Row] = {}
    for quantize in ("int8", "none"):
        name = f"tallylens {'float' if quantize == 'none' else quantize}"
        models[name], seconds[name] = timed_conversion(work / quantize, quantize)
    speed = latencies(models, runs)
    reference = precision(models["tallylens float"])["mAP@0.5:0.95"]
    rows = []
    for name, path in models.items():
        row: Row = {"model": name, "MB": path.stat().st_size / 1e6, **speed[name]}
        for kind in ("median ms", "least ms"):
            row[f"{kind[:-3]} / official"] = speed[name][kind] / speed["official int8"][kind]
        if name != "official int8":
            row |= precision(path)
            row["share of float mAP"] = row["mAP@0.5:0.95"] / reference
            row["seconds"] = {stage: round(value, 2) for stage, value in seconds[name].items()}
        rows.append(row)
    return rows


def show(rows: list[Row]) -> None:
    """The measures as rows, the models as columns."""
    table = Table(title="yolov5n at 640, one thread", title_justify="left")
    table.add_column("")
    for row in rows:
        table.add_column(row["model"])
    for key in dict.fromkeys(key for row in rows for key in row if key != "model"):
        table.add_row(key, *(_shown(row.get(key, "")) for row in rows))
    Console(width=140).print(table)


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return "\n".join(f"{stage}: {seconds}" for stage, seconds in value.items())
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def main() -> None:
    """Measure, print, and write where asked to."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--runs", type=int, default=60, help="inferences a model")
    parser.add_argument("--work", type=Path, help="keep what is converted here")
    options = parser.parse_args()
    warnings.simplefilter("default")
    with tempfile.TemporaryDirectory() as temporary:
        rows = measure(options.work or Path(temporary), options.runs)
    show(rows)
    if options.json:
        options.json.write_text(json.dumps(rows, indent=2))


if __name__ == "__main__":
    sys.exit(main())
