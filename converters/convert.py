"""From a checkpoint to the files that devices run: load, pass, calibrate, emit, check, write."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..edge_runtime.errors import RejectedError, UsageError
from ..edge_runtime.files import Folder, write_all
from ..edge_runtime.metadata import Quantization
from ..edge_runtime.types import Image
from .artifacts import Artefact, ConversionReport
from .calibration import DEFAULT_IMAGES, calibration_images, evenly_spaced, list_images
from .compress import PruneOptions, check_compression, compress
from .load import load
from .prune.cost import multiply_adds
from .request import (
    DEFAULT_CHECK,
    AcceptanceCheck,
    CoreMLOptions,
    Target,
    check_request,
    refuse_overwriting,
)

if TYPE_CHECKING:
    from .evaluation.verify import Verification
    from .graph import DetectorGraph
    from .quantize.scheme import Calibration

Content = bytes | Folder
Progress = Callable[[str, float | None], None]
Pass = Callable[["DetectorGraph"], "DetectorGraph"]

_SUFFIX_OF = {"none": "", "fp16": "-fp16", "int8": "-int8"}
_EXTENSION_OF: Mapping[Target, str] = {"onnx": "onnx", "tflite": "tflite", "coreml": "mlpackage"}


def convert(
    source: Path,
    *,
    out_dir: Path,
    targets: Sequence[str] = ("tflite",),
    quantize: Quantization = "none",
    calibration: Path | None = None,
    input_size: tuple[int, int] | None = None,
    passes: Sequence[Pass] = (),
    compression: PruneOptions | None = None,
    progress: Progress | None = None,
    coreml: CoreMLOptions | None = None,
    check: AcceptanceCheck | None = DEFAULT_CHECK,
    server: bool = False,
) -> ConversionReport:
    """Write `source` (.pt or .onnx) for each target, and what was done as NAME.conversion.json.

    NAME is the source's stem with -pruned20 (say), -fp16 or -int8; the files are NAME.onnx,
    NAME.tflite and NAME.mlpackage. All files appear together when everything has worked, and none
    otherwise; what was recovered before an interruption is kept beside them and gone on with. ONNX
    has no int8 form yet and stays float32 there; the report says so.

    Args:
        source: a YOLOv5 checkpoint or ONNX export.
        out_dir: made if needed.
        targets: any of "onnx", "tflite", "coreml".
        quantize: "fp16" halves the weights, "int8" makes TFLite full-integer and Core ML W8A8.
        calibration: folder of images like those the model will see; needed for int8 and pruning.
        input_size: (height, width) in pixels; the source's own by default.
        passes: applied to the graph in order, before calibration.
        compression: how much to prune, and how long to recover from it.
        progress: told the stage and how much of it is done (0 to 1, None when unknown).
        coreml: what only Core ML packages can be.
        check: how the artefacts are compared with the source; None leaves it out.
        server: ONNX as NAME-server.onnx for `tallylens serve`: batches of camera bytes in, the
            best boxes out. It has no raw heads to compare.

    Raises:
        UsageError: an unknown target or quantization, int8 without images, or the source itself
            would be overwritten.
        InputError: the source, the images or the output folder cannot be used.
        RejectedError: an artefact is too far from the source; all have .rejected after their names.
        UnavailableError: a package is not installed, or the disk is full.
    """
    tell = progress or (lambda _stage, _fraction: None)
    source, out_dir = Path(source), Path(out_dir)
    coreml = coreml or CoreMLOptions()
    check = None if server else check
    wanted = check_request(targets, quantize, calibration, coreml, check)
    if server and wanted != ("onnx",):
        raise UsageError("the form for servers is ONNX", "Use --to onnx with --server")
    compression = compression or PruneOptions()
    check_compression(compression, calibration)
    name = source.stem + compression.suffix + _SUFFIX_OF[quantize] + ("-server" if server else "")
    paths = {target: out_dir / f"{name}.{_EXTENSION_OF[target]}" for target in wanted}
    refuse_overwriting(source, paths)

    tell("load", None)
    loaded = load(source, input_size=input_size)
    graph = _apply(passes, loaded, tell)
    state = out_dir / f".{source.stem}{compression.suffix}.recovery"
    if compression.prune and calibration is not None:
        graph = compress(graph, compression, Path(calibration), state, tell)
    ranges = None
    if quantize == "int8" and calibration and wanted != ("onnx",):
        details = check is not None and check.details
        ranges = _calibrate(graph, calibration, tell, sensitivities=details)
    made = [
        _emit(graph, target, paths[target], quantize, ranges, coreml, server, tell)
        for target in wanted
    ]
    checks = _check(made, loaded, source, check, calibration, tell)
    # Nothing is to be seen in drawn patterns: there only the logits say something.
    seen = checks if calibration or (check and check.images) else {}
    report = ConversionReport(
        source=source,
        name=name,
        report=out_dir / f"{name}.conversion.json",
        artefacts=tuple(one.artefact(checks.get(one.path)) for one in made),
        metadata=graph.metadata,
        multiply_adds=multiply_adds(graph),
        source_multiply_adds=multiply_adds(loaded),
        sensitivity=ranges.sensitivity if ranges else {},
        warnings=(*(ranges.warnings if ranges else ()), *_warnings(made, seen, quantize)),
    )
    _write(report, made, check)
    state.unlink(missing_ok=True)
    tell("done", 1.0)
    return report


def _apply(passes: Sequence[Pass], graph: DetectorGraph, tell: Progress) -> DetectorGraph:
    for number, apply in enumerate(passes):
        tell("passes", number / len(passes))
        graph = apply(graph)
    return graph


def _calibrate(
    graph: DetectorGraph, folder: Path | None, tell: Progress, *, sensitivities: bool
) -> Calibration:
    """The scheme that the folder's images give."""
    from .quantize.calibrate import calibrate

    assert folder is not None, "checked before loading"
    folder = Path(folder)
    expected = len(evenly_spaced(list_images(folder), DEFAULT_IMAGES))
    images: Iterator[Image] = calibration_images(folder, graph.metadata.input_size)
    tell("calibrate", 0.0)
    return calibrate(graph, images, expected, tell, sensitivities=sensitivities)


@dataclass(frozen=True)
class _Made:
    """An artefact that has no place yet."""

    path: Path
    target: Target
    quantization: Quantization
    content: Content

    def artefact(self, check: Verification | None) -> Artefact:
        files = self.content
        whole = files if isinstance(files, bytes) else b"".join(files[n] for n in sorted(files))
        digest = hashlib.sha256(whole).hexdigest()
        return Artefact(self.path, self.target, self.quantization, len(whole), digest, check)


def _emit(
    graph: DetectorGraph,
    target: Target,
    path: Path,
    quantize: Quantization,
    calibration: Calibration | None,
    coreml: CoreMLOptions,
    server: bool,
    tell: Progress,
) -> _Made:
    """The file's content and the quantization that is in it."""
    tell(f"write {target}", None)
    if target == "coreml":
        from .emit.coreml.emitter import emit_coreml

        package = emit_coreml(
            graph,
            quantization=quantize,
            calibration=calibration,
            weights_only=coreml.weights_only,
            nms=coreml.nms,
        )
        return _Made(path, target, quantize, package)
    if target == "tflite":
        from .emit.tflite import emit_tflite

        content = emit_tflite(graph, quantization=quantize, calibration=calibration)
        return _Made(path, target, quantize, content)
    half = quantize == "fp16"
    if server:
        from .emit.onnx_server import emit_onnx_server

        content = emit_onnx_server(graph, half=half)
    else:
        from .emit.onnx import emit_onnx

        content = emit_onnx(graph, half=half)
    return _Made(path, target, "fp16" if half else "none", content)


def _check(
    made: Sequence[_Made],
    source_graph: DetectorGraph,
    source: Path,
    check: AcceptanceCheck | None,
    calibration: Path | None,
    tell: Progress,
) -> dict[Path, Verification]:
    if check is None:
        return {}
    from .emit.onnx import emit_onnx
    from .evaluation.acceptance import Reference, check_artefacts

    reference = Reference(source.name, emit_onnx(source_graph))
    contents = {one.path: one.content for one in made}
    return check_artefacts(contents, reference, check, calibration, tell)


def _write(report: ConversionReport, made: Sequence[_Made], check: AcceptanceCheck | None) -> None:
    """Everything at once, under names that say so where an artefact falls short."""
    contents = {one.path: one.content for one in made}
    contents[report.report] = report.to_json().encode()
    wanted = check.min_agreement if check else None
    if wanted is not None and (rejected := _furthest_off(report, wanted)):
        write_all({path.with_name(f"{path.name}.rejected"): it for path, it in contents.items()})
        raise RejectedError(*rejected, wanted)
    write_all(contents)


def _furthest_off(report: ConversionReport, wanted: float) -> tuple[Path, float] | None:
    """The artefact that agrees least, if it agrees too little."""
    from .evaluation.acceptance import falls_short

    short = [
        (one.path, one.check.detections.agreement)
        for one in report.artefacts
        if one.check and falls_short(one.check, wanted)
    ]
    return min(short, key=lambda entry: entry[1], default=None)


def _warnings(
    made: Sequence[_Made], checks: Mapping[Path, Verification], quantize: Quantization
) -> Iterator[str]:
    from .evaluation.acceptance import concerns

    for one in made:
        if one.quantization != quantize:
            yield (
                f"{one.path.name} is plain float32: there is no {quantize} form of {one.target} yet"
            )
    for check in checks.values():
        yield from concerns(check)
