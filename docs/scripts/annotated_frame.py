"""Renders docs/images/annotated-frame.jpg: the demo's street, counted and annotated by the product.

python docs/scripts/annotated_frame.py
"""

from __future__ import annotations

from pathlib import Path

import cv2

from tallylens.demo.counting import demo_counter
from tallylens.demo.scene import Scene
from tallylens.demo.source import open_scene
from tallylens.edge_runtime.reports.annotate import draw

IMAGES = Path(__file__).resolve().parents[1] / "images"
# A street and a moment with many objects.
SEED, SIZE, SECONDS = 56, (960, 540), 12.5


def main() -> None:
    """Count up to the chosen moment and write its frame."""
    scene = Scene(SEED, SIZE)
    with demo_counter(scene) as counter, open_scene(scene) as source:
        for result in counter.watch(source):
            if result.frame.timestamp_ns >= SECONDS * 1e9:
                break
        assert result.frame.image is not None
        image = result.frame.image.copy()
        draw(image, result)
    cv2.imwrite(str(IMAGES / "annotated-frame.jpg"), image)


if __name__ == "__main__":
    main()
