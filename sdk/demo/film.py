"""Writes a scene as a video file, drawn on all cores."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import cv2

from tallylens.edge_runtime.detection.pipeline import usable_cores
from tallylens.edge_runtime.errors import InputError, UnavailableError

from .scene import Scene, Shot
from .stills import Stills

AHEAD = 2
STILLS = 64


def film(
    scene: Scene, path: Path, progress: Callable[[int], None], stills: Stills | None = None
) -> None:
    """Write the scene to the .mp4 file `path`, complete or not at all.

    Args:
        scene: the scene to draw.
        path: output file; its folder is created.
        progress: called with the number of frames drawn so far.
        stills: saves some frames, spread over the scene, with their labels.

    Raises:
        InputError: a folder cannot be created or written to.
        UnavailableError: this OpenCV cannot write MPEG-4.
    """
    partial = path.with_name(f".{path.stem}.part.mp4")
    make_folder(path.parent)
    writer = cv2.VideoWriter(str(partial), cv2.VideoWriter.fourcc(*"mp4v"), scene.fps, scene.size)
    try:
        if not writer.isOpened():
            raise UnavailableError(
                f"OpenCV cannot write {path}", "Install opencv-python from PyPI, with its FFmpeg"
            )
        every = max(1, scene.frames // STILLS)
        for index, shot in enumerate(_drawn(scene)):
            writer.write(shot.image)
            if stills is not None and index % every == 0:
                stills.save(f"frame{index:05}", shot)
            progress(index + 1)
        writer.release()
        partial.replace(path)
    finally:
        writer.release()
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)


def make_folder(folder: Path) -> None:
    """Create `folder` and its parents.

    Raises:
        InputError: it cannot be created.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            folder,
            f"the folder cannot be created ({error.strerror or error})",
            "Choose another one with -o",
        ) from error


def _drawn(scene: Scene) -> Iterator[Shot]:
    """All frames in order; several are drawn in parallel."""
    workers = usable_cores()
    waiting: deque[Future[Shot]] = deque()

    with ThreadPoolExecutor(workers, thread_name_prefix="draw") as pool:
        for index in range(scene.frames):
            waiting.append(pool.submit(scene.frame, index))
            if len(waiting) >= workers + AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
