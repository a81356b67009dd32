"""Names the kind of model in a checkpoint, and lists all its unknown classes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ...edge_runtime.errors import UnsupportedModelError
from ...edge_runtime.text import printable
from .allowed import DETECTORS, MODULES, kind_of
from .module import MAX_MODULES
from .values import Record

MAX_LISTED = 12
_OPEN = "a model of an open vocabulary"
_OTHER_KINDS = {
    "AutoShape": "a model wrapped for PyTorch Hub",
    **dict.fromkeys(("ClassificationModel", "Classify"), "a classification model"),
    **dict.fromkeys(("PoseModel", "Pose", "Pose26"), "a pose model"),
    **dict.fromkeys(("OBBModel", "OBB", "OBB26"), "a model of oriented boxes"),
    **dict.fromkeys(("RTDETRDetectionModel", "RTDETRDecoder"), "an RT-DETR model"),
    **dict.fromkeys(("WorldModel", "WorldDetect", "YOLOEModel", "YOLOEDetect"), _OPEN),
    "v10Detect": "a YOLOv10 model",
    "DetectMultiBackend": "a model wrapped for PyTorch Hub",
    **dict.fromkeys(("IDetect", "IAuxDetect", "IBin", "IKeypoint", "MTDetect"), "a YOLOv7 model"),
    **dict.fromkeys(("DDetect", "DualDDetect", "TripleDDetect"), "a YOLOv9 model"),
}
# Looked at after the kinds above, for other projects take such blocks too.
_OTHER_BLOCKS = {
    **dict.fromkeys(("CSPBepBackbone", "EfficientRep", "RepPANNeck"), "a model of YOLOv6's blocks"),
    **dict.fromkeys(("Chuncat", "MP", "ReOrg", "RepConv", "SP"), "a model of YOLOv7's blocks"),
    "SPPCSPC": "a model of YOLOv7's blocks",
    **dict.fromkeys(("ADown", "CBLinear", "RepNCSPELAN4", "SPPELAN"), "a model of YOLOv9's blocks"),
    **dict.fromkeys(("C2fCIB", "SCDown"), "a model of YOLOv10's blocks"),
    **dict.fromkeys(("A2C2f", "AAttn", "ABlock"), "a model of YOLOv12's blocks"),
}
_REMEDIES = {
    "a model wrapped for PyTorch Hub": "Give the .pt file that it was loaded from",
}


def is_detector(record: object) -> bool:
    """Whether it is a whole model: by its class, or by what it holds (forks rename the class)."""
    if type(record) is not Record:
        return False
    if kind_of(record.kind) in DETECTORS:
        return True
    layers = _children(record).get("model")
    return type(layers) is Record and kind_of(layers.kind) in ("Sequential", "ModuleList")


def refuse_other_kinds(model: Record, path: str) -> None:
    """Raise UnsupportedModelError for another kind of model, or with all unknown classes.

    Layers only are looked at: what else hangs at a model, such as its loss, is never read.
    """
    kinds = {kind_of(model.kind): model.kind}
    layers = _children(model).get("model")
    if type(layers) is Record:
        kinds |= {kind_of(record.kind): record.kind for record in _modules(layers)}
        # The masks of a segmentation model, and the sum that is part of decoding, are not read.
        for left in ("Proto", "DFL"):
            kinds.pop(left, None)
    others = (
        table[kind] for table in (_OTHER_KINDS, _OTHER_BLOCKS) for kind in kinds if kind in table
    )
    other = next(others, None)
    if other is not None:
        raise UnsupportedModelError(
            path,
            f"this is {other}, and tallylens counts with YOLOv5, YOLOv8 and YOLO11 detectors",
            _REMEDIES.get(other, "Give a checkpoint of these, such as yolov5n.pt"),
        )
    root = kind_of(model.kind)
    unknown = sorted(
        dotted for kind, dotted in kinds.items() if kind not in MODULES and kind != root
    )
    if unknown:
        listed = ", ".join(printable(name, 80) for name in unknown[:MAX_LISTED])
        more = f" and {len(unknown) - MAX_LISTED} more" if len(unknown) > MAX_LISTED else ""
        raise UnsupportedModelError(
            path,
            f"the model uses {listed}{more}, which tallylens does not know",
            "Export the model to ONNX and give that, or a checkpoint of a standard architecture "
            "(YOLOv5, YOLOv8, YOLO11)",
        )


def _modules(root: Record) -> Iterator[Record]:
    """All modules below `root`, each once."""
    waiting, seen = [root], set[int]()
    while waiting and len(seen) < MAX_MODULES:
        record = waiting.pop()
        if id(record) in seen:
            continue
        seen.add(id(record))
        yield record
        waiting += [child for child in _children(record).values() if type(child) is Record]


def _children(record: Record) -> dict[Any, Any]:
    children = record.state.get("_modules")
    return children if type(children) is dict else {}
