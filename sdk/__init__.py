"""tallylens counts objects with YOLOv5 on the device that holds the camera.

    from tallylens import Counter, Line

    report = Counter("yolov5n.tflite", lines=[Line(0, 0.6, 1, 0.6)]).run("street.mp4")
    print(report.unique, report.lines[0].crossed_in)

Names are imported on first use, so that importing the package is cheap.
"""

from __future__ import annotations

import importlib

from .edge_runtime.version import __version__ as __version__

# The public API: {module: names that it defines}. After a change run
# `python -m tests.support.public_api`, which writes the stub that type checkers read.
_PUBLIC = {
    "counter": "Counter",
    "cloud_fallback.client.credentials": "Secret",
    "cloud_fallback.client.offloader": "OffloadOptions",
    "cloud_fallback.client.policy": "OffloadMode",
    "cloud_fallback.cost.estimate": "Bill Cost cost",
    "cloud_fallback.cost.lines": "CostLine",
    "cloud_fallback.cost.prices": "Price PriceTable",
    "cloud_fallback.cost.scenario": "Scenario Throughput",
    "cloud_fallback.cost.ways": "Machines Way",
    "edge_runtime.core.counter_options": "AnchorPoint CounterOptions",
    "edge_runtime.core.track_counter": "ClassTotals Diagnostics",
    "edge_runtime.counting.history": "History",
    "edge_runtime.counting.line": "Line LineReport",
    "edge_runtime.counting.region": "ClassCounts Point Region RegionReport Shape",
    "edge_runtime.counting.regions": "PlacedRegion",
    "edge_runtime.counting.period_totals": "Period PeriodTotals",
    "edge_runtime.counting.report": "Report Speed",
    "edge_runtime.counting.sinks": "FrameResult Sink",
    "edge_runtime.counting.totals": "Totals",
    "edge_runtime.counting.zone": "Zone ZoneReport",
    "edge_runtime.errors": """
        CloudError CoreError InputError MissingExtraError ModelError NetworkError ProtocolError
        RejectedError SourceError StateError TallyLensError TimestampError UnavailableError
        UnsafeModelError UnsupportedModelError UsageError
    """,
    "edge_runtime.sources.live": "LiveOptions Notice",
    "edge_runtime.sources.open": "SourceSpec open_source",
    "edge_runtime.sources.recorded": "RecordedDetections",
    "edge_runtime.sources.source": "Reader Source",
    "edge_runtime.types": """
        Detections Event EventKind FloatArray Frame FrameTime Image IntArray Tracks
    """,
}
_MODULE_OF = {name: module for module, names in _PUBLIC.items() for name in names.split()}

__all__ = sorted(["__version__", *_MODULE_OF])


def __getattr__(name: str) -> object:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f".{_MODULE_OF[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
