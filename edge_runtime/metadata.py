"""The metadata of a model file: one JSON document inside every artifact.

The key is `tallylens` in ONNX `metadata_props`, in the TFLite `metadata` table and in Core ML's
user-defined metadata. The document comes from an untrusted file, so it is bounded before it is
parsed and checked field by field.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from .errors import ModelError

METADATA_KEY = "tallylens"
# The pass of a model that takes batches and ends in boxes (`convert --server`).
SERVER_PASS = "server"
FORMAT_VERSION = 1
DISTRIBUTION_VERSION = 2
MAX_DOCUMENT_BYTES = 1 << 20
MAX_CLASSES = 10_000
MAX_INPUT_SIDE = 8192
MAX_HEADS = 8
MAX_ANCHORS = 16
MAX_BINS = 64

Layout = Literal["NCHW", "NHWC"]
Quantization = Literal["none", "fp16", "int8"]

BOX_SIDES = 4
YOLOV5_BOX_CHANNELS = 5

# Fields whose keys in the document are spelled otherwise; files of format version 1 keep them.
_KEYS = {"color_order": "colour_order", "weights_license": "weights_licence"}


@dataclass(frozen=True)
class PassRecord:
    """One pass applied between the source and this file, with its measured effect."""

    name: str
    effect: Mapping[str, float | int | str]


@dataclass(frozen=True)
class ModelMetadata:
    """Everything outside the graph that running the model needs.

    `anchors[i][a]` is the (width, height) of anchor `a` of head `i` in input pixels, `strides[i]`
    the cell size of head `i` in input pixels, `head_names[i]` its output's name. `input_size` is
    (height, width) in pixels. Heads hold raw logits, of one of two kinds:

    - `reg_max` 0: `len(anchors[i]) * (5 + number of classes)` channels, anchor by anchor as
      x, y, w, h, objectness, classes (YOLOv5).
    - `reg_max` above 0: `4 * reg_max + number of classes` channels, without anchors and
      objectness: the distances from the middle of the cell to left, top, right and bottom, each
      as a distribution over 0 to `reg_max - 1` cells, then classes (YOLOv5u, YOLOv8, YOLO11;
      Generalized Focal Loss, arXiv:2006.04388). Such documents have format version 2, so that
      earlier releases ask for an update.
    """

    class_names: tuple[str, ...]
    input_size: tuple[int, int]
    strides: tuple[int, ...]
    anchors: tuple[tuple[tuple[float, float], ...], ...]
    head_names: tuple[str, ...]
    layout: Layout = "NCHW"
    color_order: str = "RGB"
    quantization: Quantization = "none"
    source_name: str = ""
    source_sha256: str = ""
    weights_license: str = ""
    passes: tuple[PassRecord, ...] = ()
    reg_max: int = 0

    @property
    def num_classes(self) -> int:
        """The number of classes."""
        return len(self.class_names)

    @property
    def format_version(self) -> int:
        """The version of the document that holds it."""
        return DISTRIBUTION_VERSION if self.reg_max else FORMAT_VERSION

    def head_channels(self, head: int) -> int:
        """The number of channels of head number `head`."""
        if self.reg_max:
            return BOX_SIDES * self.reg_max + self.num_classes
        return len(self.anchors[head]) * (YOLOV5_BOX_CHANNELS + self.num_classes)

    def with_pass(self, name: str, **effect: float | int | str) -> ModelMetadata:
        """A copy with one more applied pass."""
        return replace(self, passes=(*self.passes, PassRecord(name, effect)))

    def to_json(self) -> str:
        """The document as written into artifacts: compact, sorted keys, so that bytes repeat."""
        document = {_KEYS.get(name, name): value for name, value in asdict(self).items()}
        document["format_version"] = self.format_version
        if not self.reg_max:
            del document["reg_max"]
        return json.dumps(
            document, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
        )

    @classmethod
    def from_json(cls, text: str | bytes, path: str) -> ModelMetadata:
        """Parse a document found in `path`.

        Raises:
            ModelError: too large, not JSON, or a field is missing or out of its bounds.
        """
        if len(text) > MAX_DOCUMENT_BYTES:
            raise _bad(path, f"the metadata is larger than {MAX_DOCUMENT_BYTES} bytes")
        try:
            document = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise _bad(path, "the metadata is not JSON") from error
        if not isinstance(document, dict):
            raise _bad(path, "the metadata is not a JSON object")
        return _parse(document, path)


def _bad(path: str, problem: str) -> ModelError:
    return ModelError(path, problem, "Convert the original checkpoint again with tallylens convert")


def _parse(document: dict[str, Any], path: str) -> ModelMetadata:
    version = document.get("format_version")
    if version not in (FORMAT_VERSION, DISTRIBUTION_VERSION) or isinstance(version, bool):
        raise ModelError(
            path,
            f"unsupported metadata format version {version!r:.20}; this tallylens reads versions "
            f"{FORMAT_VERSION} and {DISTRIBUTION_VERSION}",
            "Update tallylens, or convert the original checkpoint again",
        )
    try:
        metadata = ModelMetadata(
            class_names=tuple(_text(name, 200) for name in _list(document["class_names"])),
            input_size=_pair(document["input_size"]),
            strides=tuple(_whole(stride) for stride in _list(document["strides"])),
            anchors=tuple(
                tuple((_number(width), _number(height)) for width, height in map(_list, head))
                for head in map(_list, _list(document["anchors"]))
            ),
            head_names=tuple(_text(name, 200) for name in _list(document["head_names"])),
            layout=document["layout"],
            color_order=document["colour_order"],
            quantization=document["quantization"],
            source_name=_text(document["source_name"], 1000),
            source_sha256=_text(document["source_sha256"], 64),
            weights_license=_text(document["weights_licence"], 1000),
            passes=tuple(
                PassRecord(_text(record["name"], 200), _effect(record["effect"]))
                for record in _list(document["passes"])
            ),
            reg_max=_bins(document["reg_max"]) if version == DISTRIBUTION_VERSION else 0,
        )
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise _bad(path, "a field of the metadata is missing or has the wrong type") from error
    problem = _first_problem(metadata)
    if problem:
        raise _bad(path, f"the metadata is inconsistent: {problem}")
    return metadata


def _text(value: object, limit: int) -> str:
    if not isinstance(value, str) or len(value) > limit:
        raise ValueError("text expected")
    value.encode()  # JSON can hold a lone surrogate, which cannot be written anywhere
    return value


def _list(value: object) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError("list expected")
    return value


def _whole(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError("whole number expected")
    return value


def _number(value: object) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise TypeError("number expected")
    return float(value)


def _bins(value: object) -> int:
    bins = _whole(value)
    if not 2 <= bins <= MAX_BINS:
        raise ValueError("2 to 64 bins expected")
    return bins


def _pair(value: object) -> tuple[int, int]:
    height, width = _list(value)
    return _whole(height), _whole(width)


def _effect(value: object) -> dict[str, float | int | str]:
    if not isinstance(value, dict):
        raise TypeError("object expected")
    return {_text(name, 200): _figure(figure) for name, figure in value.items()}


def _figure(value: object) -> float | int | str:
    if isinstance(value, str):
        return _text(value, 1000)
    return value if isinstance(value, int) else _number(value)


def _first_problem(metadata: ModelMetadata) -> str | None:
    """The first rule that the metadata breaks, in words, or None."""
    heads = len(metadata.head_names)
    largest = max(metadata.strides, default=1)
    rules = (
        (1 <= metadata.num_classes <= MAX_CLASSES, f"1 to {MAX_CLASSES} classes"),
        (1 <= heads <= MAX_HEADS, f"1 to {MAX_HEADS} heads"),
        (
            len(metadata.strides) == heads == len(metadata.anchors),
            "one stride and one list of anchors per head",
        ),
        (all(1 <= stride <= 1024 for stride in metadata.strides), "strides of 1 to 1024"),
        (
            all(
                not head if metadata.reg_max else 1 <= len(head) <= MAX_ANCHORS
                for head in metadata.anchors
            ),
            "no anchors" if metadata.reg_max else f"1 to {MAX_ANCHORS} anchors per head",
        ),
        (
            all(math.isfinite(v) and v > 0 for head in metadata.anchors for p in head for v in p),
            "anchors above zero",
        ),
        (
            all(
                1 <= side <= MAX_INPUT_SIDE and side % max(largest, 1) == 0
                for side in metadata.input_size
            ),
            f"an input size in multiples of the largest stride, up to {MAX_INPUT_SIDE} pixels",
        ),
        (metadata.layout in ("NCHW", "NHWC"), "layout NCHW or NHWC"),
        (metadata.color_order == "RGB", "color order RGB"),
        (metadata.quantization in ("none", "fp16", "int8"), "quantization none, fp16 or int8"),
    )
    return next((f"expected {text}" for holds, text in rules if not holds), None)
