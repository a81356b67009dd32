"""Time of one int8 inference against the official exporter's file, with one thread.

    python benchmarks/peer_latency.py [--json FILE] [--ours FILE.tflite] [--rounds N]

Needs the folder of real models (TALLYLENS_DATA); without --ours, also tallylens[convert], which
makes the file from yolov5n.pt. The two files take turns in one process, in LiteRT's interpreter
with its defaults, so that other load slows both alike; processor time of the thread, in ms. Each
input size is measured with all instructions of the processor and, on x86-64 Linux, without VNNI.
The peer's file exists at 640x640; at 320x320 its own graph is run with the constants of that size.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from latency.at_size import at_size
from latency.without_vnni import hide_vnni
from rich.console import Console
from rich.table import Table

DATA = Path(os.environ.get("TALLYLENS_DATA", Path(__file__).parents[2] / "shared" / "data"))
PEER = DATA / "peers" / "yolov5-export-int8.tflite"
SIZES = (640, 320)
OWN_SIZE = 640
WARM_UP = 10
Row = dict[str, Any]


def main() -> None:
    """Measure each instruction set in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--ours", type=Path, metavar="FILE.tflite")
    parser.add_argument("--rounds", type=int, default=300)
    parser.add_argument("--child", choices=("all", "without VNNI"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(measured(options.ours, options.rounds, options.child)))
        return
    with tempfile.TemporaryDirectory(prefix="tallylens-") as folder:
        ours = options.ours or converted(Path(folder))
        rows = [row for kind in kinds() for row in in_a_process(ours, options.rounds, kind)]
    show(rows)
    if options.json:
        options.json.write_text(json.dumps(rows, indent=2) + "\n")


def kinds() -> tuple[str, ...]:
    """The instruction sets to measure with."""
    masked = platform.machine() == "x86_64" and sys.platform == "linux"
    return ("all", "without VNNI") if masked else ("all",)


def converted(folder: Path) -> Path:
    """yolov5n.pt as int8, calibrated on the calibration images."""
    from tallylens.converters.convert import convert

    report = convert(
        DATA / "models" / "yolov5n.pt",
        out_dir=folder,
        targets=["tflite"],
        quantize="int8",
        calibration=DATA / "coco" / "images" / "calib",
        input_size=(OWN_SIZE, OWN_SIZE),
        check=None,
    )
    return report.path_of("tflite")


def in_a_process(ours: Path, rounds: int, kind: str) -> list[Row]:
    """The rows of one instruction set, in a process of its own."""
    command = [sys.executable, __file__, "--ours", str(ours), "--child", kind]
    done = subprocess.run([*command, "--rounds", str(rounds)], check=True, stdout=subprocess.PIPE)
    rows: list[Row] = json.loads(done.stdout.splitlines()[-1])
    return rows


def measured(ours: Path, rounds: int, kind: str) -> list[Row]:
    """One row per input size."""
    if kind != "all":
        hide_vnni()
    rows = []
    for size in SIZES:
        interpreters = [opened(of_peer(size), size), opened(of_ours(ours, size), size)]
        times: list[list[float]] = [[], []]
        for _ in range(WARM_UP + rounds):
            for interpreter, taken in zip(interpreters, times, strict=True):
                start = time.thread_time()
                interpreter.invoke()
                taken.append(1e3 * (time.thread_time() - start))
        peer, own = (np.sort(taken[WARM_UP:]) for taken in times)
        row: Row = {"instructions": kind, "input": f"{size}x{size}"}
        for name, figure in (("minimum", 0.0), ("median", 0.5)):
            theirs, mine = (float(np.quantile(one, figure)) for one in (peer, own))
            row |= {f"peer {name}": theirs, f"ours {name}": mine, f"ratio {name}": mine / theirs}
        rows.append(row)
    return rows


def of_peer(size: int) -> bytes:
    """The official exporter's file for a square input of `size` pixels."""
    model = PEER.read_bytes()
    return model if size == OWN_SIZE else at_size(model, OWN_SIZE, size)


def of_ours(path: Path, size: int) -> bytes:
    """Our file for the same."""
    from tallylens.edge_runtime.engines.tflite_resize import resized

    model = resized(path.read_bytes(), (OWN_SIZE, OWN_SIZE), (size, size))
    assert model is not None, "a detector takes any size"
    return model


def opened(model: bytes, size: int) -> Any:
    """An interpreter with one thread and noise as its input."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=model, num_threads=1)
    (image,) = interpreter.get_input_details()
    interpreter.resize_tensor_input(image["index"], [1, size, size, 3])
    interpreter.allocate_tensors()
    noise = np.random.default_rng(0).integers(0, 256, (1, size, size, 3), np.uint8)
    interpreter.set_tensor(image["index"], noise)
    return interpreter


def show(rows: list[Row]) -> None:
    """Print the table."""
    table = Table(title="int8, one thread, processor time in ms")
    for name in rows[0]:
        table.add_column(name, justify="left" if name in ("instructions", "input") else "right")
    for row in rows:
        table.add_row(*(f"{v:.3f}" if isinstance(v, float) else str(v) for v in row.values()))
    Console().print(table)


if __name__ == "__main__":
    main()
