"""tallylens counts objects with YOLOv5 on the device that holds the camera.

    from tallylens import Counter, Line

    report = Counter("yolov5n.tflite", lines=[Line(0, 0.6, 1, 0.6)]).run("street.mp4")
    print(report.unique, report.lines[0].crossed_in)

Names are loaded when they are first used, so that importing the package costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from .edge_runtime.version import __version__

if TYPE_CHECKING:
    from .counter import Counter
    from .edge_runtime.counting.regions import Line, Zone
    from .edge_runtime.counting.report import Report
    from .edge_runtime.errors import (
        CloudError,
        CoreError,
        InputError,
        MissingExtraError,
        ModelError,
        NetworkError,
        ProtocolError,
        RejectedError,
        SourceError,
        StateError,
        TallyLensError,
        TimestampError,
        UnavailableError,
        UnsafeModelError,
        UnsupportedModelError,
        UsageError,
    )
    from .edge_runtime.types import Detections, Event, Frame, Tracks

_HOME = {
    "Counter": "counter",
    "Line": "edge_runtime.counting.regions",
    "Zone": "edge_runtime.counting.regions",
    "Report": "edge_runtime.counting.report",
    **dict.fromkeys(("Detections", "Event", "Frame", "Tracks"), "edge_runtime.types"),
    **dict.fromkeys(
        (
            "CloudError",
            "CoreError",
            "InputError",
            "MissingExtraError",
            "ModelError",
            "NetworkError",
            "ProtocolError",
            "RejectedError",
            "SourceError",
            "StateError",
            "TallyLensError",
            "TimestampError",
            "UnavailableError",
            "UnsafeModelError",
            "UnsupportedModelError",
            "UsageError",
        ),
        "edge_runtime.errors",
    ),
}

__all__ = [
    "CloudError",
    "CoreError",
    "Counter",
    "Detections",
    "Event",
    "Frame",
    "InputError",
    "Line",
    "MissingExtraError",
    "ModelError",
    "NetworkError",
    "ProtocolError",
    "RejectedError",
    "Report",
    "SourceError",
    "StateError",
    "TallyLensError",
    "TimestampError",
    "Tracks",
    "UnavailableError",
    "UnsafeModelError",
    "UnsupportedModelError",
    "UsageError",
    "Zone",
    "__version__",
]


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f".{_HOME[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
