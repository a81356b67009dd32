"""`tallylens convert`: a checkpoint to the files that devices run."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from tallylens.commands.arguments import add_json, fraction, input_size, names, print_json
from tallylens.edge_runtime.errors import UsageError
from tallylens.edge_runtime.reports.formats import check_output

if TYPE_CHECKING:
    from tallylens.converters.evaluation.verify import Verification
    from tallylens.converters.request import AcceptanceCheck

NAME = "convert"
HELP = "Convert a YOLOv5 checkpoint (.pt or .onnx) to ONNX, TFLite and Core ML."
EXAMPLES = """examples:
  tallylens convert yolov5n.pt
  tallylens convert yolov5n.pt --to onnx,tflite --imgsz 384x640
  tallylens convert yolov5n.pt --quantize int8 --calibration my-images/
  tallylens convert yolov5n.pt --to coreml --quantize fp16 --nms
  tallylens convert yolov5n.pt --quantize int8 --calibration my-images/ --report int8.html
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
        "--images", type=Path, metavar="DIR", help="verify on these (default: the calibration's)"
    )
    parser.add_argument(
        "--labels", type=Path, metavar="DIR", help="YOLO label files of --images, for mAP"
    )
    parser.add_argument(
        "--min-agreement",
        type=fraction,
        metavar="FRACTION",
        help="exit with status 3, and name the files .rejected, where fewer detections agree",
    )
    parser.add_argument("--no-verify", action="store_true", help="do not run what was written")
    parser.add_argument(
        "--report", type=Path, metavar="FILE.html", help="a page with figures and pictures"
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
    if options.labels is not None:
        need_converters("measuring mAP", "pycocotools")
    from tallylens.converters.compress import PruneOptions
    from tallylens.converters.convert import convert
    from tallylens.converters.request import CoreMLOptions
    from tallylens.terminal.progress import Progress

    check = _check(options)
    with Progress("converting", 1.0) as progress:
        report = convert(
            options.source,
            out_dir=options.out,
            targets=options.to,
            quantize=options.quantize,
            calibration=options.calibration,
            input_size=options.imgsz,
            compression=PruneOptions(options.prune, options.recover),
            coreml=CoreMLOptions(nms=options.nms, weights_only=options.weights_only),
            check=check,
            server=options.server,
            progress=lambda stage, fraction: progress.update(fraction or 0.0, what=stage),
        )
    if options.report is not None:
        from tallylens.converters.conversion_page import to_html
        from tallylens.edge_runtime.files import write_all

        text = to_html(report, options.images or options.calibration)
        write_all({options.report: text.encode(errors="backslashreplace")})
    if options.json:
        print_json(report.as_dict())
        return 0
    for artefact in report.artefacts:
        print(f"{artefact.path}  {artefact.size_bytes / 1e6:.2f} MB  {artefact.quantization}")
        if artefact.check is not None:
            print(f"  {_found(artefact.check)}")
    for warning in report.warnings:
        print(f"note: {warning}")
    return 0


def _check(options: argparse.Namespace) -> AcceptanceCheck | None:
    """What was asked for, refused where it contradicts itself."""
    from tallylens.converters.request import AcceptanceCheck

    if options.report is not None:
        check_output(options.report, (".html",))
    if not options.no_verify:
        return AcceptanceCheck(
            images=options.images,
            labels=options.labels,
            min_agreement=options.min_agreement,
            details=options.report is not None,
        )
    if options.min_agreement is not None or options.labels or options.images:
        raise UsageError(
            "nothing is verified, so that nothing can be compared", "Leave --no-verify away"
        )
    return None


def _found(check: Verification) -> str:
    """One line about what the verification gave."""
    largest = max((head.max_abs for head in check.heads), default=None)
    parts = []
    if check.detections.reference:
        found = check.detections
        parts.append(
            f"{found.agreement:.3f} of the detections agree with {check.reference} "
            f"({found.matched} of {found.reference}, {check.images} pictures)"
        )
    elif largest is not None:
        parts.append(f"logits differ from {check.reference} by {largest:.2g} at most")
    if check.model_precision and check.reference_precision:
        ours, theirs = check.model_precision, check.reference_precision
        parts.append(f"mAP {ours.map50_95:.4f} against {theirs.map50_95:.4f}")
    if check.inference_ms is not None:
        parts.append(f"{check.inference_ms:.1f} ms here")
    return ", ".join(parts) or "runs"
