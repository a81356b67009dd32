"""How the demo counts its street."""

from __future__ import annotations

from tallylens.built_in import DEMO
from tallylens.counter import Counter
from tallylens.demo.scene import Scene
from tallylens.edge_runtime.core import CounterOptions

CONFIDENCE, IOU = 0.6, 0.3
"""What the demo takes for an object: the model is sure of what is there, its false boxes are less
so, or lie between two true ones. See benchmarks/demo_model/README.md."""


def demo_counter(scene: Scene) -> Counter:
    """Counts `scene` as the demo does."""
    return Counter(
        DEMO.path,
        lines=[scene.line],
        zones=[scene.zone],
        options=CounterOptions().with_confidence(CONFIDENCE),
        iou=IOU,
    )
