"""`tallylens inspect`: the metadata of a model file."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from tallylens.commands.arguments import add_json, print_json

NAME = "inspect"
HELP = "Show the classes, input, heads and origin of a model."
EXAMPLES = """examples:
  tallylens inspect yolov5n-int8.tflite
  tallylens inspect yolov5n.pt --json"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", help=".tflite, .onnx or .pt file, or a name in the model store")
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    from tallylens import store
    from tallylens.edge_runtime.text import printable

    path = store.resolve(options.model)
    document = describe(path)
    if options.json:
        print_json(document)
        return 0
    for line in _summary(document):
        print(printable(line))
    return 0


def _summary(document: dict[str, Any]) -> list[str]:
    height, width = document["input_size"]
    names = document["class_names"]
    return [
        f"{document['file']}  {document['size_bytes'] / 1e6:.2f} MB  {document['kind']}",
        f"input         {height}x{width} {document['layout']} {document['colour_order']}",
        f"heads         {', '.join(document['head_names'])}",
        f"quantization  {document['quantization']}",
        f"source        {document['source_name']}  sha256 {document['source_sha256'][:16]}",
        f"passes        {', '.join(one['name'] for one in document['passes']) or 'none'}",
        f"classes       {len(names)}: {', '.join(names)}",
    ]


def describe(path: Path) -> dict[str, Any]:
    """The document of `inspect --json`: the model's metadata, with its file, size and kind."""
    from tallylens.models import runs_as_it_is

    if path.is_dir():
        from tallylens.models import open_to_measure

        with open_to_measure(path) as engine:
            metadata, kind = engine.metadata, "Core ML package"
    elif runs_as_it_is(path):
        from tallylens.edge_runtime.engines import open_engine

        with open_engine(path) as engine:
            metadata, kind = engine.metadata, f"runs on {engine.name}"
    else:
        from tallylens.extras import need_converters

        need_converters("reading a checkpoint")
        from tallylens.converters.load import load

        metadata, kind = load(path).metadata, "checkpoint, converted on first use"
    about: dict[str, Any] = json.loads(metadata.to_json())
    return {"file": str(path), "size_bytes": _size(path), "kind": kind} | about


def _size(path: Path) -> int:
    """The size in bytes of a file, or of all files of a package."""
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())
