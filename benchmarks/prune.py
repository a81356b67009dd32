"""Pruning and recovery: mAP kept, beside naive magnitude pruning of the same cost.

    python benchmarks/prune.py [--fraction 0.2] [--recover MINUTES] [--json FILE]

Needs the folder of real models and images (TALLYLENS_DATA) and tallylens[convert]. Calibrates on
coco/images/calib without its labels, measures on coco/images/val. It never fails on a time.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from tallylens.converters.calibration import calibration_images
from tallylens.converters.distill.recover import recover
from tallylens.converters.emit.onnx import emit_onnx
from tallylens.converters.evaluation.evaluate import evaluate
from tallylens.converters.graph import DetectorGraph
from tallylens.converters.load import load
from tallylens.converters.prune.channel_removal import remove_channels, weights_of
from tallylens.converters.prune.channels import find_channels
from tallylens.converters.prune.cost import CostModel, multiply_adds
from tallylens.converters.prune.prune import MAX_IMAGES, prune_channels
from tallylens.edge_runtime.core import DecoderOptions
from tallylens.edge_runtime.detection.detector import Detector
from tallylens.edge_runtime.engines import open_engine

DATA = Path(os.environ.get("TALLYLENS_DATA", Path(__file__).parents[2] / "shared" / "data"))
CALIBRATION = DATA / "coco" / "images" / "calib"
Row = dict[str, Any]


def naive(graph: DetectorGraph, fraction: float) -> DetectorGraph:
    """The same share of every group, filters of the smallest magnitude first, nothing re-fitted."""
    channels = find_channels(graph.model)
    cost = CostModel(graph.model, channels)
    norms: dict[int, float] = {}
    for node in graph.model.graph:
        if node.op_type == "Conv":
            sizes = np.abs(weights_of(node)[0]).sum((1, 2, 3))
            for one, size in zip(channels.ids[str(node.outputs[0].name)], sizes, strict=True):
                norms[int(one)] = norms.get(int(one), 0.0) + float(size)
    limit = multiply_adds(graph) * (1 - fraction)
    for share in np.linspace(0, 1, 201):
        removed = {
            one
            for group in channels.groups
            for one in sorted(group.channels, key=norms.__getitem__)[
                : round(share * len(group.channels))
            ]
        }
        if cost(removed) <= limit:
            break
    return remove_channels(graph, channels, removed)


def mean_precision(graph: DetectorGraph) -> float:
    """mAP@0.5:0.95 on the labeled images."""
    options = DecoderOptions(confidence=0.001, iou=0.6, cross_class_iou=1, multi_label=True)
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "model.onnx"
        model.write_bytes(emit_onnx(graph))
        with open_engine(model, num_threads=2) as engine:
            images, labels = DATA / "coco" / "images" / "val", DATA / "coco" / "labels" / "val"
            return evaluate(Detector(engine, options).detect, images, labels).map50_95


def rows(fraction: float, minutes: float) -> Iterator[tuple[Row, DetectorGraph]]:
    """A row for each form of the model, and the form."""
    graph = load(DATA / "models" / "yolov5n.pt")
    whole = mean_precision(graph)

    def row(name: str, made: DetectorGraph, seconds: float) -> tuple[Row, DetectorGraph]:
        found = mean_precision(made)
        measured = {
            "model": name,
            "multiply-adds": multiply_adds(made) / multiply_adds(graph),
            "mAP@0.5:0.95": found,
            "kept": found / whole,
            "seconds": seconds,
        }
        return measured, made

    yield row("float", graph, 0.0)
    start = time.perf_counter()
    yield row("naive magnitude", naive(graph, fraction), time.perf_counter() - start)
    start = time.perf_counter()
    images = calibration_images(CALIBRATION, graph.metadata.input_size, MAX_IMAGES)
    pruned = prune_channels(graph, fraction, images)
    yield row("pruned", pruned.graph, time.perf_counter() - start)
    if minutes:
        start = time.perf_counter()
        recovered = recover(pruned.graph, graph, CALIBRATION, minutes, kept=pruned.kept)
        found, made = row(f"recovered, {minutes:g} min", recovered, time.perf_counter() - start)
        effect = recovered.metadata.passes[-1].effect
        for name in ("steps", "error_before", "error_after"):  # errors on held-back images
            found[name] = effect[name]
        yield found, made


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--fraction", type=float, default=0.2)
    parser.add_argument("--recover", type=float, default=0.0, metavar="MINUTES")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    results = [row for row, _ in rows(options.fraction, options.recover)]
    table = Table(title=f"Pruning {options.fraction:.0%}", title_justify="left")
    columns = dict.fromkeys(key for found in results for key in found)
    for column in columns:
        table.add_column(column)
    for found in results:
        cells = [found.get(column, "") for column in columns]
        table.add_row(*(f"{v:.3g}" if isinstance(v, float) else str(v) for v in cells))
    Console(width=140).print(table)
    if options.json:
        options.json.write_text(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
