"""Checkpoints of 39 kinds against goldens of PyTorch: head outputs of every target.

    python benchmarks/checkpoints.py [--only STEM,STEM] [--targets onnx,tflite,coreml]
                                     [--json FILE]

Needs the folder of real models (TALLYLENS_DATA) and tallylens[convert]. Each checkpoint or ONNX
export of checkpoints/wild is converted to float files; the table shows the largest difference of a
head output from the golden's, by target, and the highest that is allowed. Core ML packages are
evaluated op by op. The exit status is 1 where a difference is above.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.table import Table

from tallylens.converters.coreml_program.evaluator import Evaluator
from tallylens.converters.coreml_program.package import read_package
from tallylens.converters.emit import EMITTERS, CoreMLOptions, EmitOptions
from tallylens.converters.graph import DetectorGraph
from tallylens.converters.load import load
from tallylens.edge_runtime.engines import open_engine
from tallylens.edge_runtime.errors import TallyLensError
from tallylens.edge_runtime.files import write_all

DATA = Path(os.environ.get("TALLYLENS_DATA", Path(__file__).parents[2] / "shared" / "data"))
WILD = DATA / "checkpoints" / "wild"
ALLOWED = {"onnx": 2e-4, "tflite": 2e-3, "coreml": 0.05}
GOLDEN = ".golden.npz"
Array = npt.NDArray[Any]


def stems(folder: Path = WILD) -> list[str]:
    """The names of all checkpoints with goldens."""
    return sorted(path.name.removesuffix(GOLDEN) for path in folder.glob(f"*{GOLDEN}"))


def source(stem: str, folder: Path = WILD) -> Path:
    """The file of a checkpoint or export."""
    return next(path for end in ("pt", "onnx") if (path := folder / f"{stem}.{end}").exists())


def run(graph: DetectorGraph, target: str, images: Array) -> list[Array]:
    """The head outputs, NCHW, of the float file for (1, 3, height, width) numbers in 0..1."""
    emitter = EMITTERS[target]
    content = emitter.emit(graph, EmitOptions("none", None, CoreMLOptions()))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"model.{emitter.extension}"
        write_all({path: content})
        if target == "coreml":
            # The package scales by 1/255: this way it takes the golden's numbers as they are.
            return Evaluator(read_package(path)).run(images * np.float32(255))
        with open_engine(path) as engine:
            channels_last = target == "tflite"
            engine.input[...] = images.transpose(0, 2, 3, 1) if channels_last else images
            heads = [np.array(head) for head in engine.run()]
        return [head.transpose(0, 3, 1, 2) if channels_last else head for head in heads]


def difference(heads: list[Array], golden: dict[str, Array], stem: str) -> float:
    """The largest difference of a head output from the golden's."""
    wanted = [golden[f"head{number}"] for number in range(len(heads))]
    if stem == "refuse-v1.0":  # its Detect lists the coarse head first
        wanted.reverse()
    found = 0.0
    for head, exact in zip(heads, wanted, strict=True):
        if exact.ndim == 5:
            exact = exact.transpose(0, 1, 4, 2, 3)
        found = max(found, float(np.abs(exact.reshape(head.shape) - head).max()))
    return found


def measure(stem: str, targets: list[str], folder: Path = WILD) -> dict[str, Any]:
    """The row of one checkpoint; a target's column holds the error's text where it fails."""
    golden = dict(np.load(folder / f"{stem}{GOLDEN}"))
    row: dict[str, Any] = {"checkpoint": stem}
    for target in targets:
        try:
            graph = load(source(stem, folder), input_size=golden["images"].shape[2:])
            row[target] = difference(run(graph, target, golden["images"]), golden, stem)
        except TallyLensError as error:
            row[target] = str(error)
    return row


def is_good(row: dict[str, Any]) -> bool:
    """Whether no difference is above what is allowed."""
    found = {target: row[target] for target in ALLOWED if target in row}
    return all(
        not isinstance(value, str) and value <= ALLOWED[target] for target, value in found.items()
    )


def show(rows: list[dict[str, Any]], targets: list[str]) -> None:
    """Checkpoints as rows, targets as columns."""
    table = Table(title="largest difference of a head output", title_justify="left")
    for column in ("checkpoint", *(f"{target} (<= {ALLOWED[target]:g})" for target in targets)):
        table.add_column(column)
    for row in rows:
        values = (row[target] for target in targets)
        shown = (value if isinstance(value, str) else f"{value:.1e}" for value in values)
        table.add_row(row["checkpoint"], *shown)
    Console(width=120).print(table)
    good = sum(map(is_good, rows))
    print(f"{good} of {len(rows)} within the limits")


def main() -> int:
    """Convert, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", help="names of checkpoints, with commas between")
    parser.add_argument("--targets", default=",".join(ALLOWED))
    parser.add_argument("--folder", type=Path, default=WILD, help="another folder with goldens")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    targets = options.targets.split(",")
    rows = []
    for stem in options.only.split(",") if options.only else stems(options.folder):
        rows.append(measure(stem, targets, options.folder))
        print(rows[-1], file=sys.stderr, flush=True)
    show(rows, targets)
    if options.json:
        options.json.write_text(json.dumps(rows, indent=2))
    return int(not all(map(is_good, rows)))


if __name__ == "__main__":
    sys.exit(main())
