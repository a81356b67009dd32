"""`tallylens convert`: a checkpoint to the model files that devices run."""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from tallylens.commands.arguments import (
    add_json,
    add_names,
    class_names,
    fraction,
    input_size,
    names,
    print_json,
)
from tallylens.converters.emit import EMITTERS
from tallylens.edge_runtime.errors import UsageError
from tallylens.edge_runtime.metadata import Quantization

if TYPE_CHECKING:
    from tallylens.converters.evaluation.verify import Verification
    from tallylens.converters.request import AcceptanceCheck

_VISIBLE = 0.05
NAME = "convert"
HELP = "Convert a YOLOv5 checkpoint (.pt or .onnx) to ONNX, TFLite and Core ML."
EXAMPLES = """examples:
  tallylens convert yolov5n.pt
  tallylens convert yolov5n.pt --to onnx,tflite --imgsz 384x640
  tallylens convert yolov5n.pt --quantize int8 --calibration my-images/
  tallylens convert yolov5n.pt --to coreml --quantize fp16 --nms
  tallylens convert yolov5n.pt --quantize int8 --calibration my-images/ --report int8.html
  tallylens convert yolov5m.pt --to onnx --server
  tallylens convert yolov5n.pt --classes car,truck,bus,person
  tallylens convert yolov5n.pt --prune 0.2 --recover 10 --calibration my-images/"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", type=Path, help="YOLOv5 checkpoint (.pt) or ONNX export")
    parser.add_argument(
        "-o", "--out", type=Path, default=Path(), metavar="DIR", help="output folder (default: .)"
    )
    parser.add_argument(
        "--to",
        type=names,
        default=["tflite"],
        metavar=",".join(EMITTERS),
        help="output formats (default: tflite)",
    )
    parser.add_argument(
        "--quantize",
        choices=get_args(Quantization),
        default="none",
        help="number format of the weights; int8 needs --calibration (default: none)",
    )
    parser.add_argument(
        "--calibration",
        type=Path,
        metavar="DIR|VIDEO",
        help="images from the camera's view, or a video of it, for int8, --prune and --budget",
    )
    parser.add_argument(
        "--imgsz",
        nargs="+",
        action=_InputSize,
        metavar="N|HxW",
        help="model input size, height x width (default: that of the source's training)",
    )
    parser.add_argument(
        "--nms",
        action="store_true",
        help="Core ML: output boxes for Vision (NMS inside) instead of raw head outputs",
    )
    parser.add_argument(
        "--weights-only",
        action="store_true",
        help="Core ML int8: 8-bit weights with float16 arithmetic (iOS 16 and later); needs no "
        "--calibration",
    )
    parser.add_argument(
        "--classes",
        type=names,
        default=[],
        metavar="NAMES",
        help="keep only these classes, such as car,truck,bus: smaller heads, the same boxes and "
        "scores",
    )
    add_names(parser)
    parser.add_argument(
        "--prune",
        type=float,
        default=0.0,
        metavar="FRACTION",
        help="remove this fraction of the MACs, such as 0.2 (structured channel pruning); needs "
        "--calibration",
    )
    parser.add_argument(
        "--recover",
        type=float,
        default=0.0,
        metavar="MINUTES",
        help="fine-tune for MINUTES by distillation from the original; no labels needed",
    )
    parser.add_argument(
        "--budget",
        metavar="SHARE|MS",
        help="the best model within this share of the MACs (0.5) or time (8ms), chosen on the "
        "images of --calibration by agreement with the source; no labels needed",
    )
    parser.add_argument(
        "--benchmark",
        type=Path,
        metavar="FILE",
        help="output of `tallylens benchmark --json` of the uncut model on the device, for a "
        "--budget in ms (default: measured on this machine)",
    )
    parser.add_argument(
        "--images",
        type=Path,
        metavar="DIR",
        help="images to verify the output on (default: those of --calibration)",
    )
    parser.add_argument(
        "--labels", type=Path, metavar="DIR", help="YOLO label files of --images, to measure mAP"
    )
    parser.add_argument(
        "--min-agreement",
        type=fraction,
        metavar="FRACTION",
        help="minimum detection agreement with the source, such as 0.95; below it the files are "
        "named .rejected and the exit status is 3",
    )
    parser.add_argument(
        "--no-verify", action="store_true", help="skip running and comparing what was written"
    )
    parser.add_argument(
        "--overwrite",
        action="store_true",
        help="replace the files of another model of the same name, such as another best.pt",
    )
    parser.add_argument(
        "--report",
        type=Path,
        metavar="FILE.html",
        help="write an HTML report with figures and images",
    )
    parser.add_argument(
        "--server",
        action="store_true",
        help="ONNX variant for `tallylens serve`: uint8 NHWC batches in, top-k boxes out",
    )
    add_json(parser)
    _add_official_options(parser)


class _InputSize(argparse.Action):
    """`640`, `384x640`, or `384 640` as the official exporter takes it."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        if len(values) > 2:
            parser.error(f"argument {option_string}: one or two numbers; put the model before it")
        try:
            setattr(namespace, self.dest, input_size("x".join(values)))
        except argparse.ArgumentTypeError as error:
            parser.error(f"argument {option_string}: {error}; put the model before it")


def _add_official_options(parser: argparse.ArgumentParser) -> None:
    """Options of YOLOv5's own exporter, for those who know them."""
    known = parser.add_argument_group("as in YOLOv5's export.py")
    known.add_argument(
        "--int8",
        action="store_const",
        const="int8",
        dest="quantize",
        help="the same as --quantize int8",
    )
    known.add_argument(
        "--half",
        action="store_const",
        const="fp16",
        dest="quantize",
        help="the same as --quantize fp16",
    )
    known.add_argument(
        "--include",
        nargs="+",
        dest="to",
        metavar="FORMAT",
        help="the same as --to, with spaces; put the model before it",
    )


def run(options: argparse.Namespace) -> int:
    from tallylens.extras import need_converters

    need_converters("converting a model")
    if options.labels is not None:
        need_converters("measuring mAP", "pycocotools")
    from tallylens.converters.budget.front import Budget
    from tallylens.converters.compress import PruneOptions
    from tallylens.converters.conversion_page import to_html
    from tallylens.converters.convert import convert
    from tallylens.converters.emit import CoreMLOptions
    from tallylens.converters.video_frames import as_image_folder
    from tallylens.edge_runtime.files import write_all
    from tallylens.terminal.progress import Progress

    check = _check(options)
    budget = Budget.parse(options.budget) if options.budget else None
    inference_ms = _device_ms(options)
    with (
        Progress("converting", 1.0) as progress,
        as_image_folder(options.calibration) as calibration,
    ):
        report = convert(
            options.source,
            out_dir=options.out,
            targets=options.to,
            quantize=options.quantize,
            calibration=calibration,
            input_size=options.imgsz,
            compression=PruneOptions(options.prune, options.recover),
            coreml=CoreMLOptions(nms=options.nms, weights_only=options.weights_only),
            check=check,
            server=options.server,
            classes=options.classes,
            budget=budget,
            inference_ms=inference_ms,
            class_names=class_names(options),
            overwrite=options.overwrite,
            progress=lambda stage, fraction: progress.update(fraction or 0.0, what=stage),
        )
        if options.report is not None:
            text = to_html(report, options.images or calibration)
            write_all({options.report: text.encode(errors="backslashreplace")})
    if options.json:
        print_json(report.as_dict())
        return 0
    for artifact in report.artifacts:
        print(f"{artifact.path}  {artifact.size_bytes / 1e6:.2f} MB  {artifact.quantization}")
        if artifact.check is not None:
            print(f"  {_found(artifact.check)}")
    if report.front is not None:
        for one in report.front.candidates:
            mark = "chosen" if one == report.front.chosen else "" if one.fits else "above budget"
            figures = f"{one.share:6.1%} of the MACs  agreement {one.agreement:.3f}"
            print(f"  {figures}  {one.title}  {mark}".rstrip())
    for warning in report.warnings:
        print(f"note: {warning}")
    return 0


def _device_ms(options: argparse.Namespace) -> float | None:
    """The inference time in the file of --benchmark, or None.

    Raises:
        InputError: it is not an output of `tallylens benchmark --json`.
    """
    from tallylens.edge_runtime.errors import InputError

    if options.benchmark is None:
        return None
    try:
        with options.benchmark.open("rb") as file:
            value = float(json.loads(file.read(1 << 20))["ms"]["inference"])
    except OSError as error:
        raise InputError(
            options.benchmark, error.strerror or "cannot be read", "Check the path"
        ) from error
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise InputError(
            options.benchmark,
            "not the output of `tallylens benchmark --json`",
            "Write it with `tallylens benchmark --model MODEL --source VIDEO --json > FILE`",
        ) from error
    if not 0 < value < math.inf:
        raise InputError(options.benchmark, f"an inference of {value} ms", "Measure it again")
    return value


def _check(options: argparse.Namespace) -> AcceptanceCheck | None:
    """The acceptance check that the options ask for, None with --no-verify.

    Raises:
        UsageError: the options contradict each other.
    """
    from tallylens.converters.request import AcceptanceCheck

    if options.report is not None:
        from tallylens.edge_runtime.reports.formats import check_output

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
            "--no-verify excludes --images, --labels and --min-agreement", "Omit one or the other"
        )
    return None


def _closeness(largest: float, reference: str) -> str:
    """The largest difference of scores that a difference of logits allows, as a sentence.

    A score is the product of two sigmoids, each of a slope of 1/4 at most.
    """
    bound = largest / 2
    if bound > _VISIBLE:
        return (
            f"runs; drawn patterns hold no objects, so compare its detections with those of "
            f"{reference}: --images DIR (and --labels DIR for mAP)"
        )
    return f"scores within {bound:.1g} of those of {reference}"


def _found(check: Verification) -> str:
    """The result of a verification in one line."""
    largest = max((head.max_abs for head in check.heads), default=None)
    parts = []
    if check.detections.reference:
        found = check.detections
        parts.append(
            f"{found.agreement:.3f} of the detections agree with {check.reference} "
            f"({found.pairs}, {check.images} images)"
        )
    elif largest is not None:
        parts.append(_closeness(largest, check.reference))
    if check.model_precision and check.reference_precision:
        ours, theirs = check.model_precision, check.reference_precision
        parts.append(f"mAP {ours.map50_95:.4f}, reference {theirs.map50_95:.4f}")
    if check.inference_ms is not None:
        parts.append(f"{check.inference_ms:.1f} ms on this machine")
    return ", ".join(parts) or "runs"
