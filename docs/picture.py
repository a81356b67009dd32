"""Renders docs/annotated-frame.jpg: the demo's street, counted and annotated by the product.

python docs/picture.py
"""

from __future__ import annotations

from pathlib import Path

import cv2

from tallylens.demo.counting import demo_counter
from tallylens.demo.scene import Scene
from tallylens.demo.source import open_scene
from tallylens.edge_runtime.reports.annotate import draw

# A street and a moment with much to see.
SEED, SIZE, SECONDS = 56, (960, 540), 12.5


def main() -> None:
    """Count up to the chosen moment and write its frame."""
    scene = Scene(SEED, SIZE)
    with demo_counter(scene) as counter, open_scene(scene) as source:
        for counted in counter.watch(source):
            if counted.frame.timestamp_ns >= SECONDS * 1e9:
                break
        image = counted.frame.image.copy()
        draw(image, counted, counter.tally)
    cv2.imwrite(str(Path(__file__).with_name("annotated-frame.jpg")), image)


if __name__ == "__main__":
    main()
