"""Accuracy, size and speed of converted models, beside the official exporter's int8 file.

    python benchmarks/convert.py [--only tflite,coreml,tiny,prune] [--json FILE]
                                 [--runs N] [--work FOLDER] [--recover MINUTES]

Needs the folder of real models and images (TALLYLENS_DATA) and tallylens[convert]. Calibrates on
coco/images/calib without its labels, measures on coco/images/val, prints a table per part and, with
--json, writes all of it. It measures and never fails on a figure.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import statistics
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import prune as pruning
from rich.console import Console
from rich.table import Table

from tallylens.converters.artifacts import Artifact
from tallylens.converters.calibration import DEFAULT_IMAGES, calibration_images
from tallylens.converters.convert import convert
from tallylens.converters.emit import CoreMLOptions
from tallylens.converters.emit.tflite import emit_tflite
from tallylens.converters.evaluation.evaluate import evaluate
from tallylens.converters.graph import DetectorGraph
from tallylens.converters.prune.cost import multiply_adds
from tallylens.converters.quantize.calibrate import calibrate
from tallylens.converters.request import TARGETS, AcceptanceCheck
from tallylens.edge_runtime.core import DecoderOptions
from tallylens.edge_runtime.detection.detector import Detector
from tallylens.edge_runtime.engines import open_engine
from tallylens.edge_runtime.engines.litert import find_interpreter
from tallylens.edge_runtime.files import write_all
from tallylens.edge_runtime.metadata import Quantization

DATA = Path(os.environ.get("TALLYLENS_DATA", Path(__file__).parents[2] / "shared" / "data"))
YOLOV5N = DATA / "models" / "yolov5n.pt"
PEER = DATA / "peers" / "yolov5-export-int8.tflite"
CALIBRATION = DATA / "coco" / "images" / "calib"
IMAGES, LABELS = DATA / "coco" / "images" / "val", DATA / "coco" / "labels" / "val"
AS_COCO_DOES = DecoderOptions(confidence=0.001, iou=0.6, cross_class_iou=1, multi_label=True)
Row = dict[str, Any]


def timed_conversion(out: Path, quantize: Quantization) -> tuple[Path, Row]:
    """The TFLite file and the seconds of every stage, TensorFlow's start included."""
    marks: list[tuple[str, float]] = []

    def mark(stage: str, _done: float | None) -> None:
        if not marks or marks[-1][0] != stage:
            marks.append((stage, time.perf_counter()))

    report = convert(
        YOLOV5N,
        out_dir=out,
        targets=("tflite",),
        quantize=quantize,
        calibration=CALIBRATION if quantize == "int8" else None,
        progress=mark,
        check=None,
    )
    seconds = {stage: end - start for (stage, start), (_, end) in itertools.pairwise(marks)}
    return report.path_of("tflite"), seconds | {"all": marks[-1][1] - marks[0][1]}


def precision(model: Path) -> Row:
    """mAP on the validation images."""
    with open_engine(model, num_threads=2) as engine:
        detect = Detector(engine, AS_COCO_DOES).detect
        result = evaluate(detect, IMAGES, LABELS)
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
        name: {"median ms": statistics.median(found), "minimum ms": min(found)}
        for name, found in times.items()
    }


def tflite(options: argparse.Namespace, work: Path) -> list[Row]:
    """int8 and float beside the official int8 file: time, size, speed, mAP."""
    models = {"official int8": PEER}
    seconds: dict[str, Row] = {}
    for quantize in ("int8", "none"):
        name = f"tallylens {'float' if quantize == 'none' else quantize}"
        models[name], seconds[name] = timed_conversion(work / quantize, quantize)
    speed = latencies(models, options.runs)
    reference = precision(models["tallylens float"])["mAP@0.5:0.95"]
    rows = []
    for name, path in models.items():
        row: Row = {"model": name, "MB": path.stat().st_size / 1e6, **speed[name]}
        for kind in ("median ms", "minimum ms"):
            row[f"{kind[:-3]} / official"] = speed[name][kind] / speed["official int8"][kind]
        if name != "official int8":
            row |= precision(path)
            row["share of float mAP"] = row["mAP@0.5:0.95"] / reference
            row["seconds"] = {stage: round(value, 2) for stage, value in seconds[name].items()}
        rows.append(row)
    return rows


def coreml(_options: argparse.Namespace, work: Path) -> list[Row]:
    """float16, 8-bit weights and W8A8 against float32, off a Mac by the evaluator."""
    forms: dict[str, Row] = {
        "float16": {"quantize": "fp16"},
        "W8": {"quantize": "int8", "coreml": CoreMLOptions(weights_only=True)},
        "W8A8": {"quantize": "int8"},
    }
    rows = []
    for name, form in forms.items():
        report = convert(
            YOLOV5N,
            out_dir=work / name,
            targets=("coreml",),
            calibration=CALIBRATION if form["quantize"] == "int8" else None,
            check=AcceptanceCheck(IMAGES, LABELS),
            **form,
        )
        rows.append({"model": name, **_verified(report.artifacts[0])})
    return rows


def tiny(_options: argparse.Namespace, work: Path) -> list[Row]:
    """Every small checkpoint through every target."""
    rows = []
    for source in sorted((DATA / "checkpoints").glob("*.pt")):
        for quantize in ("none", "fp16", "int8"):
            report = convert(
                source,
                out_dir=work / source.stem / quantize,
                targets=TARGETS,
                quantize=quantize,
                calibration=CALIBRATION,
            )
            for artifact in report.artifacts:
                name = f"{source.stem} {quantize} {artifact.target}"
                rows.append({"model": name, **_verified(artifact)})
    return rows


def prune(options: argparse.Namespace, work: Path) -> list[Row]:
    """20% fewer MACs, in float and in int8."""
    rows = []
    graphs: dict[str, DetectorGraph] = {}
    for row, graph in pruning.rows(0.2, options.recover):
        rows.append(row)
        graphs[row["model"]] = graph
    files = {}
    for name in ("float", "pruned"):
        files[name] = work / f"{name}.tflite"
        images = calibration_images(CALIBRATION, graphs[name].metadata.input_size)
        ranges = calibrate(graphs[name], images, DEFAULT_IMAGES)
        write_all({files[name]: emit_tflite(graphs[name], quantization="int8", calibration=ranges)})
    speed = latencies(files, options.runs)
    faster = 1 - speed["pruned"]["minimum ms"] / speed["float"]["minimum ms"]
    cheaper = 1 - multiply_adds(graphs["pruned"]) / multiply_adds(graphs["float"])
    for name, path in files.items():
        rows.append({"model": f"{name}, int8", **precision(path), **speed[name]})
    rows[-1] |= {"time saved / MACs saved": faster / cheaper}
    return rows


def _verified(artifact: Artifact) -> Row:
    check = artifact.check
    assert check is not None
    row: Row = {"MB": artifact.size_bytes / 1e6, "agreement": check.detections.agreement}
    row["detections"] = check.detections.reference
    row["largest logit error"] = max((head.max_abs for head in check.heads), default=None)
    row["mean logit error"] = max((head.mean_abs for head in check.heads), default=None)
    if check.model_precision and check.reference_precision:
        row["mAP@0.5:0.95"] = check.model_precision.map50_95
        row["share of float mAP"] = check.model_precision.map50_95 / (
            check.reference_precision.map50_95
        )
    return row


PARTS = {"tflite": tflite, "coreml": coreml, "tiny": tiny, "prune": prune}


def show(part: str, rows: list[Row]) -> None:
    """The measures as columns, the models as rows."""
    keys = dict.fromkeys(key for row in rows for key in row)
    table = Table(title=part, title_justify="left")
    for key in keys:
        table.add_column(key)
    for row in rows:
        table.add_row(*(_shown(row.get(key, "")) for key in keys))
    Console(width=180).print(table)


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return "\n".join(f"{stage}: {seconds}" for stage, seconds in value.items())
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def main() -> None:
    """Measure, print, and write where asked to."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", default=",".join(PARTS), help="parts, with commas between")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--runs", type=int, default=60, help="inferences a model")
    parser.add_argument("--work", type=Path, help="keep what is converted here")
    parser.add_argument("--recover", type=float, default=0.0, metavar="MINUTES")
    options = parser.parse_args()
    warnings.simplefilter("default")
    found: dict[str, list[Row]] = {}
    with tempfile.TemporaryDirectory() as temporary:
        for part in options.only.split(","):
            found[part] = PARTS[part](options, (options.work or Path(temporary)) / part)
            show(part, found[part])
    if options.json:
        options.json.write_text(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
