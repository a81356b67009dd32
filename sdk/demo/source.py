"""A frame source that draws a scene in a thread of its own."""

from __future__ import annotations

from tallylens.edge_runtime.sources import Source
from tallylens.edge_runtime.sources.prefetch import Prefetch
from tallylens.edge_runtime.types import Frame

from .scene import Scene

NANOSECONDS = 1_000_000_000


class SceneReader:
    """Draws frame after frame; see `Reader`."""

    dropped = 0

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._index = 0

    def read(self) -> Frame | None:
        """The next frame; None after the last."""
        if self._index >= self._scene.frames:
            return None
        image = self._scene.frame(self._index).image
        frame = Frame(image, round(self._index * NANOSECONDS / self._scene.fps), self._index)
        self._index += 1
        return frame

    def close(self) -> None:
        """Nothing to close."""


def open_scene(scene: Scene) -> Source:
    """A source of the frames of `scene`."""
    warnings: list[str] = []
    return Source(
        Prefetch(SceneReader(scene), warnings),
        name=f"drawn street, seed {scene.seed}",
        size=scene.size,
        frames_total=scene.frames,
        fps=scene.fps,
        warnings=warnings,
    )
