"""Options of a conversion, and the checks that refuse a request before any work is done."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from ..edge_runtime.errors import InputError, UsageError
from ..edge_runtime.metadata import Quantization
from .calibration import DEFAULT_IMAGES
from .emit import EMITTERS, CoreMLOptions, Target

_MAX_REPORT_BYTES = 64 << 20
TARGETS: tuple[Target, ...] = tuple(EMITTERS)
QUANTIZATIONS: tuple[Quantization, ...] = get_args(Quantization)


@dataclass(frozen=True)
class AcceptanceCheck:
    """How artifacts are compared with their source before they get their names.

    `images`: folder of images; by default the calibration's, and without one drawn patterns.
    `labels`: folder of YOLO label files for `images`; gives mAP of both on all of them.
    `min_agreement`: minimum detection agreement, 0 to 1; None only warns.
    `details`: also measure what the rounding of each value does.
    """

    images: Path | None = None
    labels: Path | None = None
    min_agreement: float | None = None
    details: bool = False


DEFAULT_CHECK = AcceptanceCheck()


def check_request(
    targets: Sequence[str],
    quantize: str,
    calibration: Path | None,
    coreml: CoreMLOptions,
    check: AcceptanceCheck | None,
) -> tuple[Target, ...]:
    """The targets in the order of `TARGETS`, each once.

    Raises:
        UsageError: something is unknown, missing, or makes no sense together.
    """
    unknown = [target for target in targets if target not in TARGETS]
    if unknown or not targets:
        raise UsageError(
            f"unknown target {', '.join(map(repr, unknown))}" if unknown else "no target",
            f"Choose from {', '.join(TARGETS)}",
        )
    if quantize not in QUANTIZATIONS:
        raise UsageError(
            f"unknown quantization {quantize!r}", f"Choose from {', '.join(QUANTIZATIONS)}"
        )
    _check_check(check)
    wanted = tuple(target for target in TARGETS if target in targets)
    if coreml != CoreMLOptions() and "coreml" not in wanted:
        raise UsageError(
            "--nms and --weights-only are options of Core ML", "Add --to coreml, or omit them"
        )
    if coreml.weights_only and quantize != "int8":
        raise UsageError("--weights-only is a kind of int8", "Add --quantize int8")
    # Also where all targets stay float32 (ONNX): a request for int8 without images is a mistake.
    if calibration is None and quantize == "int8" and not _only_weights(wanted, coreml):
        raise UsageError(
            "int8 needs images to find the range of every tensor",
            f"Give a folder of about {DEFAULT_IMAGES} images from the camera's view "
            "with --calibration",
        )
    return wanted


def _check_check(check: AcceptanceCheck | None) -> None:
    if check is None:
        return
    if check.min_agreement is not None and not 0 <= check.min_agreement <= 1:
        raise UsageError(f"--min-agreement is {check.min_agreement}", "Use a fraction from 0 to 1")
    if check.labels is not None and check.images is None:
        raise UsageError("--labels needs the images that they belong to", "Add --images DIR")


def _only_weights(targets: Sequence[Target], coreml: CoreMLOptions) -> bool:
    """Whether int8 can be written without the range of any tensor."""
    return coreml.weights_only and tuple(targets) == ("coreml",)


def refuse_overwriting(source: Path, paths: Mapping[Target, Path]) -> None:
    """Raise UsageError or InputError where a path of `paths` holds what must not be replaced."""
    for path in paths.values():
        if path.exists() and source.exists() and path.samefile(source):
            raise UsageError(
                f"{path} is the source itself and would be overwritten",
                "Choose another output folder with -o",
            )
    if "coreml" in paths and paths["coreml"].exists():
        _refuse_other_package(paths["coreml"])


def refuse_other_model(report: Path, sha256: str) -> None:
    """Raise UsageError where `report` is of another model of the same file name.

    Training writes every model as best.pt: one must not replace the other unnoticed.
    """
    try:
        if report.stat().st_size > _MAX_REPORT_BYTES:
            return
        written = json.loads(report.read_bytes())["metadata"]["source_sha256"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return
    if sha256 and written and written != sha256:
        raise UsageError(
            f"{report} and the files beside it were made from another model of the same name",
            f"Choose another folder with -o, give --overwrite, or delete {report.name}",
        )


def _refuse_other_package(path: Path) -> None:
    """Only a package that tallylens wrote is replaced."""
    from .coreml_program.package import read_package

    try:
        read_package(path)
    except InputError as error:
        raise InputError(
            path,
            "a file or folder that tallylens did not write has this name",
            "Move it away or choose another folder with -o",
        ) from error
