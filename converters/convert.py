"""Conversion of a checkpoint to device files: load, prune, calibrate, emit, check, write."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ..edge_runtime.errors import RejectedError, UsageError
from ..edge_runtime.files import write_all
from ..edge_runtime.metadata import Quantization
from ..edge_runtime.progress import Progress, no_progress
from .artifacts import ConversionReport, EmittedFile
from .budget.front import Budget
from .budget.search import beside_smaller_input, search
from .calibration import DEFAULT_IMAGES, calibration_images, evenly_spaced, list_images
from .compress import PruneOptions, check_budget, check_compression, compress
from .emit import EMITTERS, CoreMLOptions, EmitOptions, Target
from .load import load
from .passes.keep_classes import KeepClasses
from .prune.cost import multiply_adds
from .request import (
    DEFAULT_CHECK,
    AcceptanceCheck,
    check_request,
    refuse_other_model,
    refuse_overwriting,
)

if TYPE_CHECKING:
    from .evaluation.verify import Verification
    from .graph import DetectorGraph
    from .quantize.scheme import Calibration

Pass = Callable[["DetectorGraph"], "DetectorGraph"]

DEFAULT_SIZE = (640, 640)
_SUFFIX_OF = {"none": "", "fp16": "-fp16", "int8": "-int8"}


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
    classes: Sequence[str] = (),
    budget: Budget | None = None,
    inference_ms: float | None = None,
    class_names: Sequence[str] | None = None,
    overwrite: bool = False,
) -> ConversionReport:
    """Write `source` (.pt or .onnx) for each target, and a report as NAME.conversion.json.

    NAME is the source's stem with -pruned20 (say), -fp16 or -int8; the files are NAME.onnx,
    NAME.tflite and NAME.mlpackage. All files appear together when every step has succeeded, and
    none otherwise. The training state of an interrupted recovery is kept beside them, and the next
    run resumes from it. ONNX has no int8 form yet and stays float32 there; the report says so.

    Args:
        source: a YOLOv5 checkpoint or ONNX export.
        out_dir: made if needed.
        targets: any keys of `emit.EMITTERS`.
        quantize: "fp16" halves the weights, "int8" makes TFLite full-integer and Core ML W8A8.
        calibration: folder of images like those the model will see; needed for int8 and pruning.
        input_size: (height, width) in pixels; the source's own by default.
        passes: applied to the graph in order, before calibration.
        compression: how much to prune, and how long to recover from it.
        progress: receives the stage and the fraction of it that is done.
        coreml: options of Core ML packages.
        check: how the artifacts are compared with the source; None skips the comparison.
        server: ONNX as NAME-server.onnx for `tallylens serve`: uint8 NHWC batches in, top-k boxes
            out. It has no raw head outputs to compare.
        classes: names of the classes to keep; all by default. NAME then ends in, say, -4classes.
        budget: the limit of MACs or time; the input size and pruning that agree best with the
            source on `calibration` are chosen. NAME then ends in the height and width.
        inference_ms: milliseconds of the uncut model on the device, for a budget of time; measured
            on this machine by default.
        class_names: replace those of the source.
        overwrite: replace the files of another model of the same name.

    Raises:
        UsageError: an unknown target, quantization or class, int8 without images, or the source
            itself or, without `overwrite`, the files of another model would be overwritten.
        InputError: the source, the images or the output folder cannot be used.
        RejectedError: an artifact is too far from the source; all files end in .rejected.
        UnavailableError: a package is not installed, or the disk is full.
    """
    progress = progress or no_progress
    source, out_dir = Path(source), Path(out_dir)
    coreml = coreml or CoreMLOptions()
    check = None if server else check
    wanted = check_request(targets, quantize, calibration, coreml, check)
    if server and wanted != ("onnx",):
        raise UsageError("--server writes ONNX only", "Use --to onnx with --server")
    compression = compression or PruneOptions()
    check_compression(compression, calibration, budget=budget is not None)
    check_budget(budget, calibration, compression)
    keep = KeepClasses(classes) if classes else None
    read = partial(load, source, class_names=class_names)
    front = None
    if budget is not None and calibration is not None:
        ask = partial(_candidate, read, keep, input_size)
        time = partial(_inference_ms, ask, inference_ms, quantize, Path(calibration), progress)
        front = search(ask, budget, Path(calibration), time, progress)
        input_size = front.chosen.input_size
        compression = replace(compression, prune=front.chosen.prune)
    kept = f"-{len(keep.names)}classes" if keep else ""
    if front is not None and input_size is not None:
        kept += f"-{input_size[0]}x{input_size[1]}"
    name = source.stem + kept + compression.suffix + _SUFFIX_OF[quantize]
    name += "-server" if server else ""
    paths = {target: out_dir / f"{name}.{EMITTERS[target].extension}" for target in wanted}
    refuse_overwriting(source, paths)

    progress("load", None)
    loaded = read(input_size=input_size)
    if not overwrite:
        refuse_other_model(out_dir / f"{name}.conversion.json", loaded.metadata.source_sha256)
    source_multiply_adds = multiply_adds(loaded)
    graph = _apply(passes, loaded, progress)
    reference = keep(loaded) if keep else loaded
    state = out_dir / f".{source.stem}{compression.suffix}.recovery"
    pruning: tuple[str, ...] = ()
    if compression.recover and not compression.prune:
        pruning = ("--recover had nothing to do: the best model within the budget is not pruned",)
    if compression.prune and calibration is not None:
        graph = compress(graph, compression, Path(calibration), state, progress)
        if front is None and check is not None:
            ask = partial(_candidate, read, None, input_size)
            pruning = (beside_smaller_input(ask, graph, Path(calibration)),)
    ranges = None
    if calibration and any(EMITTERS[target].written(quantize) == "int8" for target in wanted):
        details = check is not None and check.details
        ranges = _calibrate(graph, Path(calibration), progress, sensitivities=details)
    if keep:
        # After the calibration, so that the rows that are left are rounded as in the whole model.
        ranges = ranges and keep.calibration(graph, ranges)
        graph = keep(graph)
    options = EmitOptions(quantize, ranges, coreml, server)
    emitted = [_emit(graph, target, paths[target], options, progress) for target in wanted]
    checks = _check(emitted, reference, source, check, calibration, progress)
    # Drawn patterns show no objects: with them only the logits say something.
    shown = checks if calibration or (check and check.images) else {}
    report = ConversionReport(
        source=source,
        name=name,
        report=out_dir / f"{name}.conversion.json",
        artifacts=tuple(one.artifact(checks.get(one.path)) for one in emitted),
        metadata=graph.metadata,
        multiply_adds=multiply_adds(graph),
        source_multiply_adds=source_multiply_adds,
        sensitivity=ranges.sensitivity if ranges else {},
        front=front,
        warnings=(
            *(front.reasons if front else ()),
            *pruning,
            *_notes(loaded, input_size),
            *(ranges.warnings if ranges else ()),
            *_warnings(emitted, shown, quantize),
        ),
    )
    _write(report, emitted, check)
    state.unlink(missing_ok=True)
    progress("done", 1.0)
    return report


def _apply(passes: Sequence[Pass], graph: DetectorGraph, progress: Progress) -> DetectorGraph:
    for number, apply in enumerate(passes):
        progress("passes", number / len(passes))
        graph = apply(graph)
    return graph


def _calibrate(
    graph: DetectorGraph, folder: Path, progress: Progress, *, sensitivities: bool
) -> Calibration:
    """The quantization scheme for the folder's images."""
    from .quantize.calibrate import calibrate

    expected = len(evenly_spaced(list_images(folder), DEFAULT_IMAGES))
    images = calibration_images(folder, graph.metadata.input_size)
    progress("calibrate", 0.0)
    return calibrate(graph, images, expected, progress, sensitivities=sensitivities)


def _emit(
    graph: DetectorGraph, target: Target, path: Path, options: EmitOptions, progress: Progress
) -> EmittedFile:
    progress(f"write {target}", None)
    emitter = EMITTERS[target]
    content = emitter.emit(graph, options)
    return EmittedFile(path, target, emitter.written(options.quantization), content)


def _check(
    emitted: Sequence[EmittedFile],
    source_graph: DetectorGraph,
    source: Path,
    check: AcceptanceCheck | None,
    calibration: Path | None,
    progress: Progress,
) -> dict[Path, Verification]:
    if check is None:
        return {}
    from .emit.onnx import emit_onnx
    from .evaluation.acceptance import Reference, check_artifacts

    reference = Reference(source.name, emit_onnx(source_graph))
    contents = {one.path: one.content for one in emitted}
    return check_artifacts(contents, reference, check, calibration, progress)


def _write(
    report: ConversionReport, emitted: Sequence[EmittedFile], check: AcceptanceCheck | None
) -> None:
    """All files at once; with .rejected after their names where an artifact falls short."""
    from .evaluation.acceptance import falls_short

    contents = {one.path: one.content for one in emitted}
    contents[report.report] = report.to_json().encode()
    minimum = check.min_agreement if check else None
    if minimum is not None:
        short = [
            (one.check.detections.agreement, one.path)
            for one in report.artifacts
            if one.check and falls_short(one.check, minimum)
        ]
        if short:
            write_all(
                {path.with_name(f"{path.name}.rejected"): it for path, it in contents.items()}
            )
            agreement, path = min(short, key=lambda entry: entry[0])
            raise RejectedError(path, agreement, minimum)
    write_all(contents)


def _candidate(
    read: Callable[..., DetectorGraph],
    keep: KeepClasses | None,
    own: tuple[int, int] | None,
    size: tuple[int, int] | None,
) -> DetectorGraph:
    graph = read(input_size=size or own)
    return keep(graph) if keep else graph


def _inference_ms(
    ask: Callable[[tuple[int, int] | None], DetectorGraph],
    known: float | None,
    quantize: Quantization,
    calibration: Path,
    progress: Progress,
) -> float:
    """Milliseconds of the uncut model: those of the device, or measured here as TFLite."""
    from .evaluation.latency import median_ms

    if known is not None:
        return known
    graph = ask(None)
    int8 = quantize == "int8"
    ranges = _calibrate(graph, calibration, progress, sensitivities=False) if int8 else None
    content = EMITTERS["tflite"].emit(graph, EmitOptions(quantize, ranges, CoreMLOptions()))
    assert isinstance(content, bytes)
    return median_ms(content)


def _notes(loaded: DetectorGraph, input_size: tuple[int, int] | None) -> Iterator[str]:
    """Sentences on what was decided from the source alone."""
    metadata = loaded.metadata
    if input_size is None and metadata.input_size != DEFAULT_SIZE:
        height, width = metadata.input_size
        yield f"made for {height}x{width} pixels, as the source was; --imgsz chooses another size"
    for one in metadata.passes:
        if one.name.startswith("drop_"):
            yield f"{one.name.removeprefix('drop_')} of the source are left out: boxes are counted"


def _warnings(
    emitted: Sequence[EmittedFile], checks: Mapping[Path, Verification], quantize: Quantization
) -> Iterator[str]:
    from .evaluation.acceptance import concerns

    for one in emitted:
        if one.quantization != quantize:
            yield (
                f"{one.path.name} is plain float32: there is no {quantize} form of {one.target} yet"
            )
    for check in checks.values():
        yield from concerns(check)
