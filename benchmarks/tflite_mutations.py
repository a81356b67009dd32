"""Changed copies of .tflite detectors of others: opened and run, or refused; nothing crashes.

    python benchmarks/tflite_mutations.py [FILE ...] [--count 1000] [--seed N] [--json FILE]
                                          [--keep FOLDER]

Every file (default: the official exporter's int8 file in TALLYLENS_DATA) is changed `--count`
times: fields of its tables (shapes, types, scales, operators), bytes anywhere, cut ends, a damaged
archive behind it. A copy must run on an image, or be refused with one of tallylens's errors in one
printable line. Copies are opened in worker processes, so that a crash of the interpreter is counted
too: it ends the worker, not the run. The exit status is 1 where something failed.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

DATA = Path(os.environ.get("TALLYLENS_DATA", Path(__file__).parents[2] / "shared" / "data"))
PEER = DATA / "peers" / "yolov5-export-int8.tflite"
NUMBERS = (-2, -1, 0, 1, 2, 3, 4, 7, 85, 255, 256, 640, 25_200, 1 << 16, (1 << 31) - 1)
SCALES = (0.0, -1.0, 1e-38, 1e-3, 1 / 255, 0.1, 1.0, 300.0, 1e38, float("inf"), float("nan"))
MAX_SECONDS = 60


def _edited(model: bytes, change: Callable[[Any], None]) -> bytes:
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    tree = schema.ModelT.InitFromObj(schema.Model.GetRootAs(model, 0))
    change(tree)
    builder = flatbuffers.Builder(1 << 20)
    builder.Finish(tree.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _tensor(model: bytes, chance: random.Random) -> bytes:
    """A field of one tensor."""

    def change(tree: Any) -> None:
        tensor = chance.choice(tree.subgraphs[0].tensors)
        kind = chance.randrange(5)
        shape = [] if tensor.shape is None else [int(side) for side in tensor.shape]
        if kind == 0 and shape:
            shape[chance.randrange(len(shape))] = chance.choice(NUMBERS)
            tensor.shape = shape
        elif kind == 1:
            tensor.shape = shape[:-1] if chance.random() < 0.5 else [*shape, 1]
        elif kind == 2:
            tensor.type = chance.randrange(20)
        elif kind == 3:
            tensor.buffer = chance.randrange(len(tree.buffers) + 2)
        elif tensor.quantization is not None:
            tensor.quantization.scale = [chance.choice(SCALES)]
            tensor.quantization.zeroPoint = [chance.choice(NUMBERS)]

    return _edited(model, change)


def _operator(model: bytes, chance: random.Random) -> bytes:
    """The inputs, outputs, kind or position of one operator."""

    def change(tree: Any) -> None:
        graph = tree.subgraphs[0]
        operator = chance.choice(graph.operators)
        kind = chance.randrange(5)
        which = chance.choice(("inputs", "outputs"))
        ends = [int(index) for index in getattr(operator, which)]
        if kind == 0 and ends:
            ends[chance.randrange(len(ends))] = chance.randrange(-2, len(graph.tensors) + 2)
            setattr(operator, which, np.asarray(ends, np.int32))
        elif kind == 1:
            setattr(operator, which, np.asarray(ends[:-1], np.int32))
        elif kind == 2:
            operator.opcodeIndex = chance.randrange(len(tree.operatorCodes) + 1)
        elif kind == 3:
            graph.operators.remove(operator)
        else:
            code = chance.choice(tree.operatorCodes)
            code.builtinCode = chance.randrange(210)
            code.deprecatedBuiltinCode = min(code.builtinCode, 127)

    return _edited(model, change)


def _ends(model: bytes, chance: random.Random) -> bytes:
    """The inputs or outputs of the graph."""

    def change(tree: Any) -> None:
        graph = tree.subgraphs[0]
        which = chance.choice(("inputs", "outputs"))
        count = chance.randrange(4)
        ends = [chance.randrange(-1, len(graph.tensors) + 1) for _ in range(count)]
        setattr(graph, which, np.asarray(ends, np.int32))

    return _edited(model, change)


def _constant(model: bytes, chance: random.Random) -> bytes:
    """One number of a small constant: a shape, a size, where a slice begins."""

    def change(tree: Any) -> None:
        small = [one for one in tree.buffers if one.data is not None and 4 <= len(one.data) <= 64]
        buffer = chance.choice(small)
        numbers = np.frombuffer(bytes(buffer.data)[: len(buffer.data) // 4 * 4], np.int32).copy()
        numbers[chance.randrange(len(numbers))] = chance.choice(NUMBERS)
        buffer.data = np.frombuffer(numbers.tobytes(), np.uint8)

    return _edited(model, change)


def _bytes(model: bytes, chance: random.Random) -> bytes:
    """Some bytes anywhere; half of the time in the last tenth, where the tables are."""
    content = bytearray(model)
    start = 0 if chance.random() < 0.5 else len(content) * 9 // 10
    for _ in range(chance.randint(1, 20)):
        content[chance.randrange(start, len(content))] = chance.randrange(256)
    return bytes(content)


def _cut(model: bytes, chance: random.Random) -> bytes:
    """The end is missing."""
    return model[: chance.randrange(8, len(model))]


def _archive(model: bytes, chance: random.Random) -> bytes:
    """An archive with names behind the model, damaged."""
    file = io.BytesIO()
    with zipfile.ZipFile(
        file, "w", chance.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))
    ) as it:
        it.writestr("metadata.json", json.dumps({"names": {i: f"n{i}" for i in range(80)}}))
    tail = bytearray(file.getvalue())
    for _ in range(chance.randint(0, 6)):
        tail[chance.randrange(len(tail))] = chance.randrange(256)
    return model + bytes(tail)


CHANGES = (_tensor, _tensor, _operator, _operator, _ends, _constant, _bytes, _cut, _archive)


def changed(model: bytes, seed: int) -> bytes:
    """The copy of that number."""
    chance = random.Random(seed)
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        try:
            model = chance.choice(CHANGES)(model, chance)
        except Exception:  # what was cut has no tables to edit
            return _bytes(model, chance)
    return model


def work(model: Path, first: int, last: int) -> None:
    """Open and run the copies `first` to `last`; prints one line before and after each."""
    from tallylens.edge_runtime.detection.detector import Detector
    from tallylens.edge_runtime.engines import open_engine
    from tallylens.edge_runtime.errors import TallyLensError

    content = model.read_bytes()
    image = np.random.default_rng(0).integers(0, 256, (480, 640, 3), np.uint8)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "copy.tflite"
        for number in range(first, last):
            path.write_bytes(changed(content, number))
            print(f"start {number}", flush=True)
            signal.alarm(MAX_SECONDS)
            try:
                with open_engine(path) as engine:
                    Detector(engine).detect(image)
                outcome = "run"
            except TallyLensError as error:
                text = str(error)
                outcome = type(error).__name__ if text.isprintable() else f"unprintable {text!r}"
            except Exception as error:  # what must not happen is counted
                outcome = f"traceback {type(error).__name__}: {error}"
            signal.alarm(0)
            print(f"end {number} {outcome!r}", flush=True)


def measure(model: Path, count: int, seed: int, keep: Path | None) -> dict[str, Any]:
    """One row: how the copies of one file ended."""
    outcomes: Counter[str] = Counter()
    failures: list[str] = []
    started = time.perf_counter()
    number, last = seed, seed + count
    while number < last:
        command = [sys.executable, __file__, str(model), "--work", str(number), str(last)]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        ends = [line.split(" ", 2) for line in done.stdout.splitlines() if line.startswith("end ")]
        for _, text, outcome in ends:
            outcomes[outcome.strip("'\"").split(" ")[0]] += 1
            if "traceback" in outcome or "unprintable" in outcome:
                failures.append(f"{text}: {outcome}")
        number = int(ends[-1][1]) + 1 if ends else number
        if number < last:
            failures.append(f"{number}: the process ended with {done.returncode}")
            outcomes["crash"] += 1
            number += 1
    for failure in failures if keep else ():
        copy = int(failure.partition(":")[0])
        (keep or Path()).joinpath(f"{model.stem}-{copy}.tflite").write_bytes(
            changed(model.read_bytes(), copy)
        )
    refused = sum(value for name, value in outcomes.items() if name.endswith("Error"))
    return {
        "file": model.name,
        "copies": count,
        "run": outcomes["run"],
        "refused": refused,
        "failed": len(failures),
        "seconds": round(time.perf_counter() - started),
        "failures": failures,
    }


def main() -> int:
    """Measure each file and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--work", nargs=2, type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        work(options.files[0], *options.work)
        return 0
    if options.keep:
        options.keep.mkdir(parents=True, exist_ok=True)
    rows = [
        measure(one, options.count, options.seed, options.keep) for one in options.files or [PEER]
    ]
    table = Table(title="changed copies of .tflite files")
    for name in list(rows[0])[:-1]:
        table.add_column(name, justify="left" if name == "file" else "right")
    for row in rows:
        table.add_row(*map(str, list(row.values())[:-1]))
    Console().print(table)
    for row in rows:
        for failure in row["failures"][:20]:
            print(failure)
    if options.json:
        options.json.write_text(json.dumps(rows, indent=2) + "\n")
    return 1 if any(row["failed"] for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
