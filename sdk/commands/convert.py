"""`tallylens convert`: a checkpoint to the files that devices run."""

from __future__ import annotations

import argparse
from pathlib import Path

from tallylens.commands.arguments import add_json, input_size, names, print_json

NAME = "convert"
HELP = "Convert a YOLOv5 checkpoint (.pt or .onnx) to ONNX, TFLite and Core ML."
EXAMPLES = """examples:
  tallylens convert yolov5n.pt
  tallylens convert yolov5n.pt --to onnx,tflite --imgsz 384x640
  tallylens convert yolov5n.pt --quantize int8 --calibration my-images/
  tallylens convert yolov5n.pt --to coreml --quantize fp16 --nms
  tallylens convert yolov5m.pt --to onnx --server
  tallylens convert yolov5n.pt --prune 0.2 --recover 10 --calibration my-images/"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", type=Path, help="YOLOv5 checkpoint (.pt) or ONNX export")
    parser.add_argument(
        "-o", "--out", type=Path, default=Path(), metavar="DIR", help="where to write (default: .)"
    )
    parser.add_argument(
        "--to", type=names, default=["tflite"], metavar="onnx,tflite,coreml", help="default: tflite"
    )
    parser.add_argument(
        "--quantize", choices=("none", "fp16", "int8"), default="none", help="default: none"
    )
    parser.add_argument(
        "--calibration", type=Path, metavar="DIR", help="images from the camera's view, for int8"
    )
    parser.add_argument(
        "--imgsz", type=input_size, metavar="N|HxW", help="input size (default: the source's)"
    )
    parser.add_argument(
        "--nms", action="store_true", help="Core ML: end in boxes for Vision instead of raw heads"
    )
    parser.add_argument(
        "--weights-only",
        action="store_true",
        help="Core ML int8: 8-bit weights and float16 arithmetic, from iOS 16, without calibration",
    )
    parser.add_argument(
        "--prune",
        type=float,
        default=0.0,
        metavar="FRACTION",
        help="take this share of the multiply-adds away, such as 0.2; needs --calibration",
    )
    parser.add_argument(
        "--recover",
        type=float,
        default=0.0,
        metavar="MINUTES",
        help="then train for so long to give what the original gives; no labels are needed",
    )
    parser.add_argument(
        "--server",
        action="store_true",
        help="ONNX for tallylens serve: batches of camera bytes in, the best boxes out",
    )
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    from tallylens.extras import need_converters

    need_converters("converting a model")
    from tallylens.converters.compress import Compression
    from tallylens.converters.convert import CoreMLOptions, convert
    from tallylens.progress import Progress

    with Progress("converting", 1.0) as progress:
        report = convert(
            options.source,
            out_dir=options.out,
            targets=options.to,
            quantize=options.quantize,
            calibration=options.calibration,
            input_size=options.imgsz,
            compression=Compression(options.prune, options.recover),
            coreml=CoreMLOptions(nms=options.nms, weights_only=options.weights_only),
            server=options.server,
            progress=lambda stage, fraction: progress.update(fraction or 0.0, what=stage),
        )
    if options.json:
        print_json(report.as_dict())
        return 0
    for artefact in report.artefacts:
        print(f"{artefact.path}  {artefact.size_bytes / 1e6:.2f} MB  {artefact.quantization}")
    for warning in report.warnings:
        print(f"note: {warning}")
    return 0
