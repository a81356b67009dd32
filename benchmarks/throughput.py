"""How much of the machine a file count uses, and how it compares with a careful script.

    python benchmarks/throughput.py --model MODEL.tflite... --video VIDEO [--rounds 5] [--json FILE]

For each model, and in each round one after the other: the latency of the engine alone on one
thread, a whole count with tallylens, and one with the script of peer_count.py with one thread and
with one per core (the better of the two is taken). Load of other programs moves all three alike
within a round, so ratios are taken within rounds and their medians shown. tallylens runs a .tflite
with rectangular inference, and the latency is that of this input; the script runs the
file as it is. --no-peer omits the script; with it: pip install trackers. `cpu ms/frame` is
processor time, which load hardly moves.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from tallylens import Counter, Line
from tallylens.edge_runtime.detection.model_variant import ModelVariant
from tallylens.edge_runtime.detection.pipeline import usable_cores
from tallylens.edge_runtime.engines import open_engine
from tallylens.edge_runtime.sources import open_source

LINE = Line(0, 0.6, 1, 0.6)
Row = dict[str, Any]


def latency_ms(form: ModelVariant, seconds: float = 3.0) -> tuple[float, float]:
    """Mean clock and processor time of one inference on one thread, nothing else running here."""
    with form.open() as engine:
        engine.input[:] = np.random.default_rng(0).integers(0, 256, engine.input.shape)
        for _ in range(3):
            engine.run()
        runs, start, cpu = 0, time.perf_counter(), time.process_time()
        while time.perf_counter() - start < seconds:
            engine.run()
            runs += 1
        used = time.process_time() - cpu
        return (time.perf_counter() - start) / runs * 1e3, used / runs * 1e3


def ours(model: Path, video: Path, workers: int | None = None) -> tuple[float, float, Row]:
    """(frames per second, processor milliseconds per frame, counts) of a whole count."""
    begin, cpu = time.perf_counter(), time.process_time()
    with Counter(model, lines=[LINE], workers=workers) as counter:
        report = counter.run(video)
    spent, used = time.perf_counter() - begin, time.process_time() - cpu
    line = report.lines[0]
    counts = {"in": sum(line.crossed_in.values()), "out": sum(line.crossed_out.values())}
    return report.frames / spent, used / report.frames * 1e3, counts


def peer(model: Path, video: Path, threads: int) -> tuple[float, float, Row]:
    """The same of the script."""
    import peer_count

    with open_engine(model) as engine:
        metadata = peer_count.metadata_of(engine.metadata.to_json())
    begin, cpu = time.perf_counter(), time.process_time()
    frames, crossed_in, crossed_out = peer_count.count(model, video, threads, metadata)
    spent, used = time.perf_counter() - begin, time.process_time() - cpu
    return frames / spent, used / frames * 1e3, {"in": crossed_in, "out": crossed_out}


def measure(model: Path, video: Path, rounds: int, with_peer: bool) -> Row:
    """Medians over the rounds."""
    cores = usable_cores()
    with open_source(video) as source:
        form = ModelVariant.fitting(model, source.size)
    runs: dict[str, list[float]] = {}

    def note(name: str, value: float) -> float:
        runs.setdefault(name, []).append(value)
        return value

    counts: dict[str, Row] = {}
    for _ in range(rounds):
        single, single_cpu = latency_ms(form)
        note("single-thread ms", single)
        note("single-thread cpu ms", single_cpu)
        fps, cpu, counts["tallylens"] = ours(model, video)
        note("tallylens fps", fps)
        note("tallylens cpu ms/frame", cpu)
        note("share of cores / latency", fps / (cores * 1e3 / single))
        note("share by cpu time", single_cpu / cpu)
        if with_peer:
            found = [peer(model, video, threads) for threads in {1, cores}]
            best = max(found, key=lambda one: one[0])
            counts["peer"] = best[2]
            note("peer fps", best[0])
            note("peer cpu ms/frame", best[1])
            note("times the peer", fps / best[0])
            note("times the peer by cpu time", best[1] / cpu)
    size = "{}x{}".format(*form.size) if form.size else "as made"
    medians = {name: statistics.median(values) for name, values in runs.items()}
    return {
        "model": str(model),
        "input": size,
        "cores": cores,
        **medians,
        "counts": counts,
        "runs": runs,
    }


def show(rows: list[Row]) -> None:
    """One table."""
    table = Table(title=f"file throughput, load before {os.getloadavg()[0]:.1f}")
    names = [name for name in rows[0] if name != "runs"]
    for name in names:
        table.add_column(name, overflow="fold")
    for row in rows:
        values = (row[name] for name in names)
        table.add_row(*(f"{v:.3g}" if isinstance(v, float) else str(v) for v in values))
    Console(width=160).print(table)


def main() -> None:
    """Measure each model."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", type=Path, nargs="+", required=True)
    parser.add_argument("--video", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--no-peer", action="store_true")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    rows = [
        measure(model, options.video, options.rounds, not options.no_peer)
        for model in options.model
    ]
    show(rows)
    if options.json:
        options.json.write_text(json.dumps(rows, indent=2))


if __name__ == "__main__":
    main()
