"""The HTML report of a conversion: files, agreement, sensitivity, worst images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from ..edge_runtime.reports.drawing import Pen
from ..edge_runtime.reports.html import bars, cards, notes, page, photograph, section, table
from ..edge_runtime.sources.images import read_image
from ..edge_runtime.sources.opencv import load_cv2
from ..edge_runtime.types import Detections, Image
from ..edge_runtime.version import __version__
from .artifacts import Artifact, ConversionReport
from .evaluation.agreement import Difference
from .evaluation.verify import Precision

MAX_VALUES = 20
IMAGE_WIDTH = 560
UNKNOWN = "-"


def to_html(report: ConversionReport, images: Path | None) -> str:
    """The report; `images` is the folder that was verified on, None if there was none."""
    height, width = report.metadata.input_size
    return page(
        title=f"Conversion of {report.source.name}",
        subtitle=f"{len(report.metadata.class_names)} classes · input {width} x {height}",
        parts=[
            cards(_figures(report)),
            notes(report.warnings),
            section("Files", _files(report)),
            _front(report),
            _passes(report),
            _heads(report),
            _sensitivity(report),
            *(_worst(artifact, images, report) for artifact in report.artifacts),
        ],
        footer=f"{report.name} · tallylens {__version__}",
    )


def _figures(report: ConversionReport) -> Iterator[tuple[str, object]]:
    smallest = min(report.artifacts, key=lambda artifact: artifact.size_bytes)
    yield f"{smallest.path.name}", f"{smallest.size_bytes / 1e6:.2f} MB"
    yield "MACs per image", f"{report.multiply_adds / 1e9:.2f} G"
    saved = 1 - report.multiply_adds / report.source_multiply_adds
    if saved > 0:
        yield "of the MACs removed", f"{100 * saved:.0f} %"
    checked = [artifact.check for artifact in report.artifacts if artifact.check]
    times = [check.inference_ms for check in checked if check.inference_ms is not None]
    if times:
        yield "fastest inference here, one thread", f"{min(times):.1f} ms"
    if any(check.detections.reference for check in checked):
        lowest = min(check.detections.agreement for check in checked)
        yield "of the detections agree, at least", f"{100 * lowest:.1f} %"


def _files(report: ConversionReport) -> str:
    head = ["file", "contents", "MB", "ms here", "source, ms", "agreement", "mAP", "source, mAP"]
    return table(head, [_file(artifact) for artifact in report.artifacts], texts=2)


def _file(artifact: Artifact) -> Sequence[object]:
    check = artifact.check
    size = f"{artifact.size_bytes / 1e6:.2f}"
    first = [artifact.path.name, _contents(artifact), size]
    if check is None:
        return [*first, *[UNKNOWN] * 5]
    agreement = f"{check.detections.agreement:.3f}" if check.detections.reference else UNKNOWN
    return [
        *first,
        _milliseconds(check.inference_ms),
        _milliseconds(check.reference_inference_ms),
        agreement,
        _precision(check.model_precision),
        _precision(check.reference_precision),
    ]


def _contents(artifact: Artifact) -> str:
    return {"none": "float32", "fp16": "float16"}.get(artifact.quantization, "int8")


def _milliseconds(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:.1f}"


def _precision(precision: Precision | None) -> str:
    return UNKNOWN if precision is None else f"{precision.map50_95:.4f}"


def _front(report: ConversionReport) -> str:
    if report.front is None:
        return ""
    chosen = report.front.chosen
    rows = [
        [
            one.title,
            f"{one.share:.1%}",
            f"{one.agreement:.3f}",
            UNKNOWN if one.held_back is None else f"{one.held_back:.3f}",
            "chosen" if one == chosen else "" if one.fits else "above the budget",
        ]
        for one in report.front.candidates
    ]
    head = ["candidate", "MACs", "agreement", "on other images", ""]
    entries = [
        (one.title, one.agreement, f"{one.agreement:.3f}") for one in report.front.candidates
    ]
    return section("Candidates of the budget", table(head, rows, texts=1) + bars(entries))


def _passes(report: ConversionReport) -> str:
    if not report.metadata.passes:
        return ""
    rows = [
        [record.name, ", ".join(f"{key} {value}" for key, value in record.effect.items())]
        for record in report.metadata.passes
    ]
    return section("Passes", table(["pass", "effect"], rows, texts=2))


def _heads(report: ConversionReport) -> str:
    rows = [
        [artifact.path.name, head.name, f"{head.max_abs:.2g}", f"{head.mean_abs:.2g}"]
        for artifact in report.artifacts
        if artifact.check
        for head in artifact.check.heads
    ]
    if not rows:
        return ""
    head = ["file", "head", "largest difference", "on average"]
    return section("Logits against the source", table(head, rows, texts=2))


def _sensitivity(report: ConversionReport) -> str:
    worst = sorted(report.sensitivity.items(), key=lambda entry: -entry[1])[:MAX_VALUES]
    if not worst:
        return ""
    entries = [(name, value, f"{value:.3f}") for name, value in worst]
    return section("Change of the logits when one value alone is rounded (RMS)", bars(entries))


def _worst(artifact: Artifact, images: Path | None, report: ConversionReport) -> str:
    if artifact.check is None or images is None or not artifact.check.worst:
        return ""
    figures = []
    names = report.metadata.class_names
    for one in artifact.check.worst:
        image = read_image(images / one.image)
        figures.append(_drawn(image, one.reference, names, f"{one.image}, the source"))
        figures.append(_drawn(image, one.model, names, _caption(one, artifact)))
    title = f"Where {artifact.path.name} differs most"
    return section(title, f'<div class="images">{"".join(figures)}</div>', long=True)


def _caption(one: Difference, artifact: Artifact) -> str:
    found = one.agreement
    return f"{one.image}, {artifact.target}: {found.matched} of {found.reference} agree"


def _drawn(image: Image, found: Detections, names: Sequence[str], caption: str) -> str:
    cv2 = load_cv2()
    pen = Pen(image.copy())
    pen.detections(found, names)
    height, width = image.shape[:2]
    shrunk = min(1.0, IMAGE_WIDTH / width)
    size = (max(1, round(width * shrunk)), max(1, round(height * shrunk)))
    return photograph(cv2.resize(pen.image, size, interpolation=cv2.INTER_AREA), caption)
