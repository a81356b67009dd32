"""`tallylens eval`: mAP of a model on labeled images."""

from __future__ import annotations

import argparse
from pathlib import Path

from tallylens.commands.arguments import (
    add_imgsz,
    add_json,
    add_names,
    class_names,
    print_json,
)

NAME = "eval"
HELP = "Measure mAP on labeled images."
EXAMPLES = """examples:
  tallylens eval yolov5n-int8.tflite --images val/images --labels val/labels

Labels are YOLO files: one STEM.txt per image, with lines of `class cx cy w h` as fractions."""

# The thresholds with which mAP of YOLOv5 is reported.
CONFIDENCE = 0.001
IOU = 0.6


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", help=".tflite, .onnx or .pt file, or a name in the model store")
    parser.add_argument(
        "--images", type=Path, required=True, metavar="DIR", help="folder of images"
    )
    parser.add_argument(
        "--labels", type=Path, required=True, metavar="DIR", help="folder of YOLO label files"
    )
    add_imgsz(parser)
    add_names(parser)
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    from tallylens.extras import need_converters

    need_converters("measuring mAP", "pycocotools")
    from tallylens.converters.evaluation.evaluate import evaluate
    from tallylens.converters.passes.keep_classes import label_numbers
    from tallylens.edge_runtime.core import DecoderOptions
    from tallylens.edge_runtime.detection.detector import Detector
    from tallylens.models import open_to_measure
    from tallylens.terminal.progress import Progress

    decoding = DecoderOptions(confidence=CONFIDENCE, iou=IOU, cross_class_iou=1.0, multi_label=True)
    with (
        open_to_measure(
            options.model, imgsz=options.imgsz, class_names=class_names(options)
        ) as engine,
        Progress("evaluating", 1.0) as progress,
    ):
        result = evaluate(
            Detector(engine, decoding).detect,
            options.images,
            options.labels,
            progress=lambda _stage, done: progress.update(done or 0.0),
            numbers=label_numbers(engine.metadata),
        )
        names = engine.metadata.class_names
    document = {
        "map50_95": result.map50_95,
        "map50": result.map50,
        "map75": result.map75,
        "images": result.images,
        "unlabelled": result.unlabeled,
        "objects": result.objects,
        "per_class": {names[i]: value for i, value in result.per_class.items() if i < len(names)},
        "model": str(options.model),
    }
    if options.json:
        print_json(document)
    else:
        print(f"mAP@0.5:0.95  {result.map50_95:.4f}")
        print(f"mAP@0.5       {result.map50:.4f}")
        print(f"images        {result.images} ({result.objects} objects)")
    return 0
