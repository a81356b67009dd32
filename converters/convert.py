"""From a checkpoint to the files that devices run: load, pass, calibrate, emit, write."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from ..edge_runtime.errors import InputError, UsageError
from ..edge_runtime.files import Folder, write_all
from ..edge_runtime.metadata import ModelMetadata, Quantization
from ..edge_runtime.types import Image
from .calibration import DEFAULT_IMAGES, calibration_images, evenly_spaced, list_images
from .compress import Compression, check_compression, compress
from .load import load

if TYPE_CHECKING:
    from .graph import DetectorGraph
    from .quantize.scheme import Calibration

Target = Literal["onnx", "tflite", "coreml"]
Pass = Callable[["DetectorGraph"], "DetectorGraph"]
Progress = Callable[[str, float | None], None]

TARGETS: tuple[Target, ...] = get_args(Target)
_SUFFIX_OF = {"none": "", "fp16": "-fp16", "int8": "-int8"}
_EXTENSION_OF: Mapping[Target, str] = {"onnx": "onnx", "tflite": "tflite", "coreml": "mlpackage"}

Content = bytes | Folder


@dataclass(frozen=True)
class CoreMLOptions:
    """`nms`: end in boxes for Vision. `weights_only`: int8 weights, float16 arithmetic (iOS 16)."""

    nms: bool = False
    weights_only: bool = False


@dataclass(frozen=True)
class Artefact:
    """One file written: `quantization` is what is really in it, `sha256` of its bytes.

    A Core ML package is a folder: the hash is of its files one after the other, sorted by path.
    """

    path: Path
    target: Target
    quantization: Quantization
    size_bytes: int
    sha256: str


@dataclass(frozen=True)
class ConversionReport:
    """What a conversion made of `source`; `metadata` is what all artefacts have in common."""

    source: Path
    name: str
    report: Path
    artefacts: tuple[Artefact, ...]
    metadata: ModelMetadata
    warnings: tuple[str, ...] = ()

    def path_of(self, target: Target) -> Path:
        """The file written for `target`."""
        return next(artefact.path for artefact in self.artefacts if artefact.target == target)

    def as_dict(self) -> dict[str, Any]:
        """The report as a JSON document, with the paths as they are on this machine."""
        return {
            "source": str(self.source),
            "name": self.name,
            "report": str(self.report),
            "artefacts": [
                asdict(artefact) | {"path": str(artefact.path)} for artefact in self.artefacts
            ],
            "metadata": json.loads(self.metadata.to_json()),
            "warnings": list(self.warnings),
        }

    def to_json(self) -> str:
        """The text of NAME.conversion.json: no paths, so that it repeats on any machine."""
        document = self.as_dict()
        document.update(source=self.source.name, report=self.report.name)
        for entry in document["artefacts"]:
            entry["path"] = Path(entry["path"]).name
        return json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def convert(
    source: Path,
    *,
    out_dir: Path,
    targets: Sequence[str] = ("tflite",),
    quantize: Quantization = "none",
    calibration: Path | None = None,
    input_size: tuple[int, int] | None = None,
    passes: Sequence[Pass] = (),
    compression: Compression | None = None,
    progress: Progress | None = None,
    coreml: CoreMLOptions | None = None,
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
        server: ONNX as NAME-server.onnx for `tallylens serve`: batches of camera bytes in, the
            best boxes out.

    Raises:
        UsageError: an unknown target or quantization, int8 without images, or the source itself
            would be overwritten.
        InputError: the source, the images or the output folder cannot be used.
        UnavailableError: a package is not installed, or the disk is full.
    """
    tell = progress or (lambda _stage, _fraction: None)
    source, out_dir = Path(source), Path(out_dir)
    coreml = coreml or CoreMLOptions()
    wanted = _check(targets, quantize, calibration, coreml)
    compression = compression or Compression()
    check_compression(compression, calibration)
    if server and wanted != ("onnx",):
        raise UsageError("the form for servers is ONNX", "Use --to onnx with --server")
    name = source.stem + compression.suffix + _SUFFIX_OF[quantize] + ("-server" if server else "")
    paths = {target: out_dir / f"{name}.{_EXTENSION_OF[target]}" for target in wanted}
    _refuse_overwriting(source, paths)

    tell("load", None)
    graph = load(source, input_size=input_size)
    graph = _apply(passes, graph, tell)
    state = out_dir / f".{source.stem}{compression.suffix}.recovery"
    if compression.prune and calibration is not None:
        graph = compress(graph, compression, Path(calibration), state, tell)
    needed = _needs_ranges(wanted, quantize, coreml)
    ranges = _calibrate(graph, calibration, tell) if needed else None
    contents: dict[Path, Content] = {}
    artefacts: list[Artefact] = []
    for target in wanted:
        tell(f"write {target}", None)
        content, written = _emit(graph, target, quantize, ranges, coreml, server)
        contents[paths[target]] = content
        artefacts.append(_artefact(paths[target], target, written, content))
    report = ConversionReport(
        source=source,
        name=name,
        report=out_dir / f"{name}.conversion.json",
        artefacts=tuple(artefacts),
        metadata=graph.metadata,
        warnings=(*(ranges.warnings if ranges else ()), *_warnings(artefacts, quantize)),
    )
    write_all(contents | {report.report: report.to_json().encode()})
    state.unlink(missing_ok=True)
    tell("done", 1.0)
    return report


def _apply(passes: Sequence[Pass], graph: DetectorGraph, tell: Progress) -> DetectorGraph:
    for number, apply in enumerate(passes):
        tell("passes", number / len(passes))
        graph = apply(graph)
    return graph


def _check(
    targets: Sequence[str], quantize: str, calibration: Path | None, coreml: CoreMLOptions
) -> tuple[Target, ...]:
    """The targets in the order of `TARGETS`, each once."""
    unknown = [target for target in targets if target not in TARGETS]
    if unknown or not targets:
        raise UsageError(
            f"{', '.join(unknown) or 'nothing'} is no target",
            f"Use --to {','.join(TARGETS)}",
        )
    if quantize not in get_args(Quantization):
        raise UsageError(
            f"{quantize} is no quantization",
            f"Use --quantize {'|'.join(get_args(Quantization))}",
        )
    wanted = tuple(target for target in TARGETS if target in targets)
    if coreml != CoreMLOptions() and "coreml" not in wanted:
        raise UsageError(
            "NMS and weights alone in 8 bits are for Core ML", "Add --to coreml, or leave them away"
        )
    if coreml.weights_only and quantize != "int8":
        raise UsageError("weights alone in 8 bits are a kind of int8", "Add --quantize int8")
    # ONNX stays float32, and is no reason to go without images either.
    if calibration is None and quantize == "int8" and not _only_weights(wanted, coreml):
        raise UsageError(
            "int8 needs images to find the range of every tensor",
            f"Give a folder of about {DEFAULT_IMAGES} images from the camera's view "
            "with --calibration",
        )
    return wanted


def _only_weights(targets: Sequence[Target], coreml: CoreMLOptions) -> bool:
    """Whether int8 can be written without the range of any tensor."""
    return coreml.weights_only and tuple(targets) == ("coreml",)


def _refuse_overwriting(source: Path, paths: Mapping[Target, Path]) -> None:
    for path in paths.values():
        if path.exists() and source.exists() and path.samefile(source):
            raise UsageError(
                f"{path} is the source itself and would be overwritten",
                "Choose another output folder with -o",
            )
    if "coreml" in paths and paths["coreml"].exists():
        _refuse_other_package(paths["coreml"])


def _refuse_other_package(path: Path) -> None:
    """Only a package that tallylens wrote is replaced."""
    from .coreml_program.package import read_package

    try:
        read_package(path)
    except InputError as error:
        raise InputError(
            path, "something else is in this place", "Move it away or choose another folder with -o"
        ) from error


def _needs_ranges(targets: Sequence[Target], quantize: Quantization, coreml: CoreMLOptions) -> bool:
    whole_integer = "tflite" in targets or ("coreml" in targets and not coreml.weights_only)
    return quantize == "int8" and whole_integer


def _calibrate(graph: DetectorGraph, folder: Path | None, tell: Progress) -> Calibration:
    """The scheme that the folder's images give."""
    from .quantize.calibrate import calibrate

    assert folder is not None, "checked before loading"
    folder = Path(folder)
    expected = len(evenly_spaced(list_images(folder), DEFAULT_IMAGES))
    images: Iterator[Image] = calibration_images(folder, graph.metadata.input_size)
    tell("calibrate", 0.0)
    return calibrate(graph, images, expected, tell)


def _emit(
    graph: DetectorGraph,
    target: Target,
    quantize: Quantization,
    calibration: Calibration | None,
    coreml: CoreMLOptions,
    server: bool,
) -> tuple[Content, Quantization]:
    """What to write and the quantization that is in it."""
    if target == "coreml":
        from .emit.coreml.emitter import emit_coreml

        package = emit_coreml(
            graph,
            quantization=quantize,
            calibration=calibration,
            weights_only=coreml.weights_only,
            nms=coreml.nms,
        )
        return package, quantize
    if target == "tflite":
        from .emit.tflite import emit_tflite

        content = emit_tflite(graph, quantization=quantize, calibration=calibration)
        return content, quantize
    half = quantize == "fp16"
    if server:
        from .emit.onnx_server import emit_onnx_server

        return emit_onnx_server(graph, half=half), "fp16" if half else "none"
    from .emit.onnx import emit_onnx

    return emit_onnx(graph, half=half), "fp16" if half else "none"


def _artefact(path: Path, target: Target, written: Quantization, content: Content) -> Artefact:
    if not isinstance(content, bytes):
        content = b"".join(content[name] for name in sorted(content))
    return Artefact(path, target, written, len(content), hashlib.sha256(content).hexdigest())


def _warnings(artefacts: Sequence[Artefact], quantize: Quantization) -> Iterator[str]:
    for artefact in artefacts:
        if artefact.quantization != quantize:
            yield (
                f"{artefact.path.name} is plain float32: there is no {quantize} form of "
                f"{artefact.target} yet"
            )
