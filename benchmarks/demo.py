"""The demo's figures: counts against the truth, mAP of the shipped model, speed.

    python benchmarks/demo.py [--seeds 50] [--frames 500] [--json FILE]

The seeds and frames differ from those that the model was trained, validated or calibrated on, and
from those that any choice was made by. Measures, and never fails on a figure. mAP needs
tallylens[convert].
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections import Counter as Totals
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from tallylens.built_in import DEMO, DEMO_FLOAT
from tallylens.converters.evaluation.evaluate import evaluate
from tallylens.demo.counting import demo_counter
from tallylens.demo.film import film
from tallylens.demo.outcome import Outcome, compare
from tallylens.demo.scene import Scene
from tallylens.demo.source import open_scene
from tallylens.demo.stills import Stills
from tallylens.edge_runtime.core import DecoderOptions
from tallylens.edge_runtime.detection.detector import Detector
from tallylens.edge_runtime.engines import open_engine

FIRST_COUNTED, FIRST_MEASURED = 7000, 5000
AS_EVAL_DOES = DecoderOptions(confidence=0.001, iou=0.6, cross_class_iou=1, multi_label=True)
FAST_FPS, FAST_SECONDS = 120.0, 30.0


def count(seed: int) -> tuple[Outcome, str]:
    """One scene of 20 s at 30 fps, counted by the shipped model."""
    scene = Scene(seed)
    with demo_counter(scene) as counter:
        return compare(counter.run(open_scene(scene)), scene), scene.weather.name


def counts(seeds: int, console: Console) -> dict[str, Any]:
    """Counts of many streets beside their truth."""
    right = unique = crossings = 0
    errors: list[int] = []
    wrong: Totals[str] = Totals()
    for seed in range(FIRST_COUNTED, FIRST_COUNTED + seeds):
        outcome, weather = count(seed)
        differences = [row for row in outcome.rows() if row[2] != row[3]]
        right += outcome.right
        unique += outcome.counts["unique"] == outcome.truth["unique"]
        crossings += all(outcome.counts[way] == outcome.truth[way] for way in ("in", "out"))
        errors += [abs(counted - true) for _, _, counted, true in outcome.rows()]
        wrong.update(f"{what} {name}" for what, name, _, _ in differences)
        console.print(seed, weather, "right" if outcome.right else differences)
    return {
        "seeds": seeds,
        "all_right": right / seeds,
        "unique_right": unique / seeds,
        "crossings_right": crossings / seeds,
        "mean_absolute_error": statistics.fmean(errors),
        "wrong": dict(wrong.most_common()),
    }


def precision(frames: int) -> dict[str, Any]:
    """mAP of both shipped files on frames of as many scenes."""
    with tempfile.TemporaryDirectory() as folder:
        stills = Stills(Path(folder))
        for seed in range(FIRST_MEASURED, FIRST_MEASURED + frames):
            scene = Scene(seed)
            stills.save(f"scene{seed}", scene.frame(seed * 7919 % scene.frames))
        return {path.suffix[1:]: _precision(path, stills) for path in (DEMO.path, DEMO_FLOAT)}


def _precision(model: Path, stills: Stills) -> dict[str, Any]:
    with open_engine(model) as engine:
        found = evaluate(Detector(engine, AS_EVAL_DOES).detect, stills.images, stills.labels)
        names = engine.metadata.class_names
    return {
        "map50": found.map50,
        "map50_95": found.map50_95,
        "images": found.images,
        "objects": found.objects,
        "bytes": model.stat().st_size,
        "per_class": {names[index]: value for index, value in found.per_class.items()},
    }


def speed() -> dict[str, Any]:
    """Counting 30 s at 120 fps from a file, after it has been drawn."""
    scene = Scene(0, fps=FAST_FPS, seconds=FAST_SECONDS)
    with tempfile.TemporaryDirectory() as folder:
        video = Path(folder) / "street.mp4"
        film(scene, video, lambda _: None)
        processor, clock = time.process_time(), time.perf_counter()
        with demo_counter(scene) as counter:
            report = counter.run(video)
        seconds = time.perf_counter() - clock
        busy = time.process_time() - processor
    return {
        "frames": report.frames,
        "fps": report.frames / seconds,
        "processor_ms_a_frame": 1000 * busy / report.frames,
        "right": compare(report, scene).right,
        **report.speed.as_dict(),
    }


def main() -> None:
    """Measure and show."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=50, help="streets to count (default 50)")
    parser.add_argument("--frames", type=int, default=500, help="frames for mAP (default 500)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all of it")
    options = parser.parse_args()
    console = Console()
    result: dict[str, Any] = {}
    if options.seeds:
        result["counts"] = counts(options.seeds, console)
    if options.frames:
        result["precision"] = precision(options.frames)
    result["speed"] = speed()
    table = Table("what", "figure")
    for part, figures in result.items():
        for name, value in figures.items():
            shown = f"{value:.3f}" if isinstance(value, float) else str(value)
            table.add_row(f"{part} {name}", shown)
    console.print(table)
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
