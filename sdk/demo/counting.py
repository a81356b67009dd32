"""The counter of `tallylens demo`."""

from __future__ import annotations

from tallylens.built_in import DEMO
from tallylens.counter import Counter
from tallylens.demo.scene import Scene
from tallylens.edge_runtime.core import CounterOptions

CONFIDENCE, IOU = 0.6, 0.3
"""Thresholds of the demo: objects have a high confidence, false boxes a lower one, or they lie
between two objects. See benchmarks/demo_model/README.md."""


def demo_counter(scene: Scene) -> Counter:
    """A counter with the line, zone and thresholds of the demo."""
    return Counter(
        DEMO.path,
        lines=[scene.line],
        zones=[scene.zone],
        options=CounterOptions().with_confidence(CONFIDENCE),
        iou=IOU,
    )
