"""`tallylens inspect`: the metadata of a model file."""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tallylens.commands.arguments import add_json, add_names, class_names, print_json

if TYPE_CHECKING:
    from tallylens.converters.graph import DetectorGraph
    from tallylens.edge_runtime.types import HeadSpec

NAME = "inspect"
HELP = "Show the classes, input, heads and origin of a model."
EXAMPLES = """examples:
  tallylens inspect yolov5n-int8.tflite
  tallylens inspect yolov5n.pt --json"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", help=".tflite, .onnx or .pt file, or a name in the model store")
    add_names(parser)
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    from tallylens import store
    from tallylens.edge_runtime.text import printable

    path = store.resolve(options.model)
    document = describe(path, class_names(options))
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
        _source(document),
        f"passes        {', '.join(one['name'] for one in document['passes']) or 'none'}",
        _shapes(document),
        *_checkpoint(document),
        f"classes       {len(names)}: {_names(names)}",
    ]


def _source(document: dict[str, Any]) -> str:
    if not document["source_sha256"]:
        return f"source        {document['source_name'] or 'unknown'}"
    return f"source        {document['source_name']}  sha256 {document['source_sha256'][:16]}"


def _names(names: list[str]) -> str:
    from tallylens.edge_runtime.class_names import are_numbered

    if are_numbered(names):
        return "without names, which --names FILE gives"
    return ", ".join(names)


def _shapes(document: dict[str, Any]) -> str:
    """The line that says how boxes are given."""
    strides = document["strides"]
    if "boxes" in document:
        boxes = document["boxes"]
        steps = f", in steps of {boxes['step']:.3g}" if boxes["step"] else ""
        return (
            f"boxes         {boxes['number']} decoded by the model itself, in {boxes['unit']}, "
            f"{boxes['dtype']}{steps}"
        )
    if document.get("reg_max"):
        return (
            f"boxes         no anchors: distances over {document['reg_max']} bins, strides "
            f"{', '.join(map(str, strides))}"
        )
    anchors = zip(strides, document["anchors"], strict=True)
    return f"anchors       {'; '.join(f'{stride}: {_boxes(boxes)}' for stride, boxes in anchors)}"


def _boxes(anchors: list[list[float]]) -> str:
    """Anchors as width x height in pixels."""
    return " ".join(f"{width:g}x{height:g}" for width, height in anchors)


def _checkpoint(document: dict[str, Any]) -> list[str]:
    """Lines on a checkpoint alone."""
    lines = []
    if "parameters" in document:
        amounts = document["parameters"] / 1e6, document["multiply_adds"] / 1e9
        lines.append("size          {:.2f} M parameters, {:.2f} G MACs per image".format(*amounts))
    if document.get("training"):
        training = document["training"].items()
        facts = (f"{name.replace('_', ' ')} {value}" for name, value in training)
        lines.append(f"training      {', '.join(facts)}")
    return lines


def describe(path: Path, names: Sequence[str] | None = None) -> dict[str, Any]:
    """The document of `inspect --json`: the model's metadata, with its file, size and kind.

    `names` replace the class names of the model.
    """
    from tallylens.edge_runtime.engines.heads import renamed
    from tallylens.models import runs_as_it_is

    about: dict[str, Any] = {}
    if path.is_dir():
        from tallylens.models import open_to_measure

        with open_to_measure(path) as engine:
            metadata, kind = engine.metadata, "Core ML package"
    elif runs_as_it_is(path):
        from tallylens.edge_runtime.engines import open_engine

        with open_engine(path) as engine:
            metadata, kind = engine.metadata, f"runs on {engine.name}"
            about |= _decoded(engine.heads[0])
    else:
        from tallylens.extras import need_converters

        need_converters("reading a checkpoint")
        from tallylens.converters.load import load

        graph = load(path)
        metadata, kind = graph.metadata, "checkpoint, converted on first use"
        about |= _measured(path, graph)
    about |= json.loads(renamed(metadata, names, str(path)).to_json())
    return {"file": str(path), "size_bytes": _size(path), "kind": kind} | about


def _decoded(head: HeadSpec) -> dict[str, Any]:
    """The boxes of a model that decodes them itself; nothing of one with raw head outputs."""
    if head.content == "logits":
        return {}
    return {
        "boxes": {
            "number": head.width,
            "content": head.content,
            "unit": "pixels" if head.units == (1.0, 1.0) else "fractions of the input",
            "dtype": head.dtype,
            "step": 0.0 if head.dtype == "float32" else head.scale,
        }
    }


def _measured(path: Path, graph: DetectorGraph) -> dict[str, Any]:
    """Parameters and MACs of a source, and the facts of its training."""
    from tallylens.converters.formats import detect
    from tallylens.converters.prune.cost import multiply_adds, parameters

    facts: dict[str, Any] = {
        "parameters": parameters(graph),
        "multiply_adds": multiply_adds(graph),
    }
    if detect(path) == "checkpoint":
        from tallylens.converters.checkpoint.importer import checkpoint_training

        training = dataclasses.asdict(checkpoint_training(path))
        facts["training"] = {name: value for name, value in training.items() if value is not None}
    return facts


def _size(path: Path) -> int:
    """The size in bytes of a file, or of all files of a package."""
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())
