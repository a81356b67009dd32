"""`tallylens verify`: compare the detections of a converted model with the original's."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tallylens.commands.arguments import (
    add_json,
    add_names,
    class_names,
    fraction,
    print_json,
)
from tallylens.edge_runtime.errors import InputError

if TYPE_CHECKING:
    from tallylens.converters.evaluation.verify import Verification

NAME = "verify"
HELP = "Compare the detections of a converted model with those of the original."
EXAMPLES = """examples:
  tallylens verify yolov5n-int8.mlpackage --against yolov5n.pt --images val/images
  tallylens verify yolov5n-int8.tflite --against yolov5n.pt --images val/images --labels val/labels

A .tflite of another exporter is compared as well, if it ends in decoded boxes. Without Core ML on
this machine, Core ML packages are evaluated op by op, which is slow."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", help=".mlpackage, .tflite, .onnx or .pt file")
    parser.add_argument(
        "--against", required=True, metavar="REFERENCE", help="model that it was converted from"
    )
    parser.add_argument(
        "--images", type=Path, required=True, metavar="DIR", help="folder of images"
    )
    parser.add_argument(
        "--labels", type=Path, metavar="DIR", help="YOLO label files, to measure mAP"
    )
    parser.add_argument(
        "--min-agreement",
        type=fraction,
        metavar="FRACTION",
        help="minimum detection agreement, such as 0.95; below it the exit status is 3",
    )
    add_names(parser)
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    from tallylens import store
    from tallylens.extras import need_converters

    need_converters("verifying a model")
    if options.labels is not None:
        need_converters("measuring mAP", "pycocotools")
    from tallylens.converters.evaluation.verify import verify
    from tallylens.terminal.progress import Progress

    with Progress("verifying", 1.0) as progress:
        result = verify(
            store.resolve(options.model),
            store.resolve(options.against),
            options.images,
            labels=options.labels,
            num_threads=os.cpu_count() or 1,
            progress=lambda _stage, done: progress.update(done or 0.0),
            class_names=class_names(options),
        )
    if options.json:
        print_json(result.as_dict())
    else:
        _show(result)
    agreement = result.detections.agreement
    if options.min_agreement is not None and agreement < options.min_agreement:
        print(
            f"tallylens: {options.model}: detection agreement {agreement:.4f} is below "
            f"{options.min_agreement}. Prune or quantize less, or calibrate with more images.",
            file=sys.stderr,
        )
        return InputError.exit_status
    return 0


def _show(result: Verification) -> None:
    found = result.detections
    print(f"images      {result.images}")
    print(f"engines     {result.engine}, reference {result.reference_engine}")
    for head in result.heads:
        print(f"{head.name:<11} error {head.max_abs:.4f} maximum, {head.mean_abs:.5f} mean")
    print(
        f"agreement   {found.agreement:.4f} ({found.matched} of {found.reference} detections of "
        f"the reference, {found.model} of the model)"
    )
    if result.model_precision and result.reference_precision:
        ours, theirs = result.model_precision, result.reference_precision
        print(f"mAP@0.5:0.95 {ours.map50_95:.4f}, reference {theirs.map50_95:.4f}")
        print(f"mAP@0.5      {ours.map50:.4f}, reference {theirs.map50:.4f}")
    print(f"verdict     {result.verdict}")
    for warning in result.warnings:
        print(f"note: {warning}")
